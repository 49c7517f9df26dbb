package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.Deflater;

/** Signs that a sound is silent, and that a decoded window is wrong. */
final class WhisperSigns {
    private static final double RATIO = 2.4;
    /** A sound that never exceeds this amplitude (-70 dB of full scale) is silence. */
    private static final double SILENCE = Math.pow(10, -70 / 20.0);

    private WhisperSigns() {}

    static boolean silent(float[] samples) {
        for (float value : samples) {
            if (Math.abs(value) >= SILENCE) {
                return false;
            }
        }
        return true;
    }

    /** Whether text compresses so well that it must repeat itself. */
    static boolean repetitive(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return bytes.length > 0 && bytes.length / (double) compressed(bytes) > RATIO;
    }

    private static int compressed(byte[] bytes) {
        Deflater deflater = new Deflater();
        deflater.setInput(bytes);
        deflater.finish();
        byte[] scratch = new byte[4096];
        int size = 0;
        while (!deflater.finished()) {
            size += deflater.deflate(scratch);
        }
        deflater.end();
        return size;
    }

    /**
     * Whether a result ends by saying the same twice, the typical failure of a window that is too short. People do repeat
     * themselves, so this sends a window back to the encoder but never to sampling.
     */
    static boolean echoes(List<Integer> tokens) {
        int count = tokens.size();
        for (int n = 3; n <= count / 2; n++) {
            if (tokens.subList(count - n, count).equals(tokens.subList(count - 2 * n, count - n))) {
                return true;
            }
        }
        return false;
    }
}
