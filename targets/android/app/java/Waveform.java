package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/** A sound as the windows of samples that a network takes. */
final class Waveform {
    /** Added to a variance before its root: transformers' own number. */
    private static final double LEAST = 1e-7;

    /** Samples in a second. */
    final int rate;
    /** Samples that the network takes at once; 0: as many as there are, up to `most`. */
    private final int fixed;
    private final int most;
    private final int least;
    private final boolean normalise;

    /** @param spec the input that takes the samples, [1, N]. */
    Waveform(Map<String, Object> facts, Description.Spec spec) {
        rate = Json.integer(facts.get("sample_rate"));
        fixed = Math.max(0, spec.shape[1]);
        int longest = Json.integer(facts.get("most"));
        most = fixed > 0 ? Math.min(fixed, longest) : longest;
        least = Json.integer(facts.get("least"));
        normalise = Boolean.TRUE.equals(facts.get("normalise"));
    }

    /**
     * The samples of the window that begins at `start`; none behind the last one that is long enough.
     *
     * @throws IllegalArgumentException the whole sound is too short.
     */
    float[] window(Samples sound, long start) {
        float[] held = sound.window(start, most);
        if (start == 0 && held.length < least) {
            throw new IllegalArgumentException(String.format(Locale.ROOT,
                    "the sound has %.2f s; the network takes %.2f s at least", held.length / (double) rate, least / (double) rate));
        }
        return held.length < least ? new float[0] : held;
    }

    /** Where the window behind this one begins; -1: this was the last. */
    long after(long start, float[] held) {
        return held.length == most ? start + most : -1;
    }

    /** A window as the network takes it: with a mean of 0 and a variance of 1 where it asks for that, zeros behind. */
    Tensor input(float[] held) {
        float[] values = Arrays.copyOf(held, fixed > 0 ? fixed : held.length);
        if (normalise) {
            double sum = 0, squares = 0;
            for (float value : held) {
                sum += value;
            }
            double mean = sum / held.length;
            for (float value : held) {
                squares += (value - mean) * (value - mean);
            }
            double deviation = Math.sqrt(squares / held.length + LEAST);
            for (int i = 0; i < held.length; i++) {
                values[i] = (float) ((held[i] - mean) / deviation);
            }
        }
        return Tensor.of(values, 1, values.length);
    }
}
