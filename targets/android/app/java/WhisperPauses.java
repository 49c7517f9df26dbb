package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where a sound is quiet, by its energy in frames of 10 ms. */
final class WhisperPauses {
    private static final int RATE = WhisperRecognizer.RATE;
    private static final int FRAME = 160;
    /** How far above the quiet speech is, as a share of the range in dB. */
    private static final double ABOVE = 0.25;
    /** Seconds: what is shorter is a closure in a word. */
    private static final double SHORTEST = 0.08;

    /** Begin and end in seconds of each stretch between louder ones. */
    final List<double[]> pauses = new ArrayList<>();
    /** Seconds at which the first loud frame begins and the last one ends; NaN: there is none. */
    double first = Double.NaN;

    double last = Double.NaN;

    WhisperPauses(float[] samples) {
        double[] level = level(samples);
        if (level.length == 0) {
            return;
        }
        double[] sorted = level.clone();
        Arrays.sort(sorted);
        double quiet = percentile(sorted, 0.10), top = percentile(sorted, 0.95);
        int before = -1;
        for (int i = 0; i < level.length; i++) {
            if (!(level[i] > quiet + ABOVE * (top - quiet))) {
                continue;
            }
            double begin = (before + 1) * FRAME / (double) RATE, end = i * FRAME / (double) RATE;
            if (before < 0) {
                first = end;
            } else if (before + 1 < i && end - begin >= SHORTEST) {
                pauses.add(new double[] {begin, end});
            }
            before = i;
        }
        if (before >= 0) {
            last = before * FRAME / (double) RATE + FRAME / (double) RATE;
        }
    }

    /** The longest pause that begins before `late` and ends after `early`; of equal ones the last. Null: none. */
    double[] longest(double early, double late) {
        double[] longest = null;
        for (double[] pause : pauses) {
            boolean near = pause[0] < late && pause[1] > early;
            if (near && (longest == null || pause[1] - pause[0] >= longest[1] - longest[0])) {
                longest = pause;
            }
        }
        return longest;
    }

    private static double[] level(float[] samples) {
        double[] level = new double[samples.length / FRAME];
        for (int i = 0; i < level.length; i++) {
            double sum = 0;
            for (int j = i * FRAME; j < (i + 1) * FRAME; j++) {
                sum += samples[j] * (double) samples[j];
            }
            level[i] = 10 * Math.log10(sum / FRAME + 1e-10);
        }
        return level;
    }

    /** Between the two nearest values, as numpy's. */
    private static double percentile(double[] sorted, double share) {
        double at = share * (sorted.length - 1);
        int below = (int) at, above = Math.min(below + 1, sorted.length - 1);
        double part = at - below, step = sorted[above] - sorted[below];
        return part >= 0.5 ? sorted[above] - step * (1 - part) : sorted[below] + step * part;
    }
}
