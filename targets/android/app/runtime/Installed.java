package edgekit.phone.runtime;

import edgekit.phone.loops.Json;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Map;

/**
 * Assets of an app as files of a folder, so that a runtime opens them by path and maps them: what goes through the Java heap
 * needs twice the memory. A file that is there with the right hash is left alone.
 */
final class Installed {
    private static final int CHUNK = 1 << 16;

    private Installed() {}

    /** Where assets come from. */
    interface Source {
        InputStream open(String name) throws IOException;
    }

    /** Brings all files that files.json lists into the folder. Throws IOException for a file that is not as listed. */
    static void install(Source source, File folder) throws IOException {
        for (Object entry : Json.list(Json.object(Json.parse(text(source.open("files.json")))).get("files"))) {
            Map<String, Object> file = Json.object(entry);
            install(source, folder, (String) file.get("name"), (String) file.get("sha256"));
        }
    }

    private static void install(Source source, File folder, String name, String hash) throws IOException {
        File place = new File(folder, name);
        if (!place.getCanonicalPath().startsWith(folder.getCanonicalPath() + File.separator)) {
            throw new IOException("the asset " + name + " would leave its folder");
        }
        if (place.isFile() && hash.equals(copied(new FileInputStream(place), null))) {
            return;
        }
        File parent = place.getParentFile(), arriving = new File(parent, place.getName() + ".arriving");
        if (!parent.isDirectory() && !parent.mkdirs()) {
            throw new IOException("the folder " + parent + " cannot be made");
        }
        String digest;
        try (FileOutputStream out = new FileOutputStream(arriving)) {
            digest = copied(source.open(name), out);
            out.getFD().sync();
        }
        if (!hash.equals(digest) || !arriving.renameTo(place)) {
            arriving.delete();
            throw new IOException("the asset " + name + " is damaged, or there is no room for it");
        }
    }

    /** The SHA-256 of what the stream holds, which is copied to `out` where that is not null. */
    private static String copied(InputStream in, FileOutputStream out) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException exception) {
            throw new IOException(exception);
        }
        byte[] chunk = new byte[CHUNK];
        try (InputStream source = in) {
            for (int got = source.read(chunk); got >= 0; got = source.read(chunk)) {
                digest.update(chunk, 0, got);
                if (out != null) {
                    out.write(chunk, 0, got);
                }
            }
        }
        StringBuilder hash = new StringBuilder();
        for (byte value : digest.digest()) {
            hash.append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
        }
        return hash.toString();
    }

    static byte[] bytes(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] chunk = new byte[CHUNK];
        try (InputStream source = in) {
            for (int got = source.read(chunk); got >= 0; got = source.read(chunk)) {
                out.write(chunk, 0, got);
            }
        }
        return out.toByteArray();
    }

    static String text(InputStream in) throws IOException {
        return new String(bytes(in), "UTF-8");
    }
}
