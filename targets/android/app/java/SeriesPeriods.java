package edgekit.phone.loops;

import java.util.Map;

/**
 * Which periods a series has, and what it would be if it only repeated itself: the normalised periodogram's peaks that noise
 * alone would hardly make, as TinyCast does it (arXiv:2608.15767).
 */
final class SeriesPeriods {
    private SeriesPeriods() {}

    /**
     * The strongest periods, in steps, the strongest first; 0 for each that is missing.
     *
     * @param values without gaps. rule: "most" periods; "least", the shortest; "alpha", the chance with which noise may
     *     make a peak.
     */
    static int[] of(float[] values, Map<String, Object> rule) {
        double[] shares = shares(values);
        int length = values.length, most = Json.integer(rule.get("most")), count = shares.length;
        int longest = Math.max(2, length / 2), least = Math.max(2, Json.integer(rule.get("least")));
        double threshold = Math.log(count / Json.number(rule.get("alpha"))) / count;
        int[] periods = new int[most];
        boolean[] taken = new boolean[count];
        for (int k = 0; k < most; k++) {
            int best = -1;
            for (int at = Math.max(1, length / longest - 1); at <= Math.min(count - 2, length / least - 1); at++) {
                boolean peak = shares[at] > shares[at - 1] && shares[at] > shares[at + 1] && shares[at] >= threshold;
                best = peak && !taken[at] && (best < 0 || shares[at] > shares[best]) ? at : best;
            }
            if (best < 0) {
                break;
            }
            taken[best] = true;
            periods[k] = (int) Math.rint((float) length / (best + 1));
        }
        return periods;
    }

    /** The shares of the power that each frequency from 1 on has. */
    private static double[] shares(float[] values) {
        int length = values.length;
        double mean = 0, total = 0;
        for (float value : values) {
            mean += value / (double) length;
        }
        double[] turns = new double[length], power = new double[length / 2];
        for (int i = 0; i < length; i++) {
            turns[i] = Math.cos(2 * Math.PI * i / length);
        }
        for (int at = 1; at <= power.length; at++) {
            double real = 0, imaginary = 0;
            for (int i = 0, angle = 0; i < length; i++, angle = (angle + at) % length) {
                double value = values[i] - (float) mean;
                real += value * turns[angle];
                imaginary += value * turns[(angle + length / 4) % length];
            }
            power[at - 1] = real * real + imaginary * imaginary;
            total += power[at - 1];
        }
        for (int at = 0; at < power.length; at++) {
            power[at] /= Math.max(total, 1e-12);
        }
        return power;
    }

    /** Sine and cosine of where in each period a step is; zeros for a period of 0. */
    static void phases(int step, int[] periods, float[] into, int at) {
        for (int k = 0; k < periods.length; k++) {
            if (periods[k] > 0) {
                float angle = (float) (2 * Math.PI) * step / periods[k];
                into[at + 2 * k] = (float) Math.sin(angle);
                into[at + 2 * k + 1] = (float) Math.cos(angle);
            }
        }
    }

    /**
     * What comes next if the series repeats itself: for each of `steps` the mean of what was observed in its part of the
     * period. A part without any has the mean of all.
     *
     * @param bins parts of a period, which is of one step at least.
     */
    static float[] folded(float[] values, boolean[] observed, int period, int steps, int bins) {
        double[] totals = new double[bins], counts = new double[bins];
        double total = 0, count = 0;
        for (int i = 0; i < values.length; i++) {
            if (observed[i]) {
                int part = part(i, period, bins);
                totals[part] += values[i];
                counts[part]++;
                total += values[i];
                count++;
            }
        }
        float[] made = new float[steps];
        for (int i = 0; i < steps; i++) {
            int part = part(values.length + i, period, bins);
            made[i] = (float) (counts[part] > 0 ? totals[part] / counts[part] : total / Math.max(1, count));
        }
        return made;
    }

    private static int part(int step, int period, int bins) {
        float whole = Math.max(1, period), share = (float) step % whole / whole * bins;
        return Math.min((int) share, bins - 1);
    }
}
