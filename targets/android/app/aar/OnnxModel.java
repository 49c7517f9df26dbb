package edgekit.phone.runtime;

import android.content.Context;
import android.content.res.AssetManager;
import android.system.ErrnoException;
import android.system.Os;
import edgekit.phone.loops.Description;
import edgekit.phone.loops.Graph;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;

/** Opens the model of this library. */
public final class OnnxModel {
    private static final String PLACE = "edgekit/edgekit.phone";
    private static final int THREADS = 2;

    private OnnxModel() {}

    /**
     * Installs the model into the app's files, once, and loads it; not on the main thread. To be closed by the caller.
     *
     * @throws IOException no room on the phone, or an asset that is damaged.
     * @throws IllegalStateException ONNX Runtime does not take the model.
     */
    public static Model open(Context context) throws IOException {
        return open(context, THREADS);
    }

    /** The same, with so many threads within an operator. */
    public static Model open(Context context, final int threads) throws IOException {
        try {
            // Read when the runtime starts: official builds from 1.29 on report to their makers otherwise.
            Os.setenv("ORT_DISABLE_TELEMETRY", "1", false);
        } catch (ErrnoException exception) {
            throw new IllegalStateException(exception);
        }
        final AssetManager assets = context.getAssets();
        Installed.Source source = new Installed.Source() {
            @Override
            public InputStream open(String name) throws IOException {
                return assets.open(PLACE + "/" + name);
            }
        };
        return Model.open(source, new File(context.getNoBackupFilesDir(), PLACE), new Model.Opener() {
            @Override
            public Graph open(File file, Description.Part part) {
                return new OrtGraph(file, threads);
            }
        });
    }
}
