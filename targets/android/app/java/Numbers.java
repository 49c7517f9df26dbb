package edgekit.phone.loops;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/** The arithmetic that several loops share. */
final class Numbers {
    private Numbers() {}

    static float[] softmax(float[] scores) {
        float top = scores[argmax(scores)];
        double sum = 0;
        float[] odds = new float[scores.length];
        for (int i = 0; i < odds.length; i++) {
            odds[i] = (float) Math.exp(scores[i] - top);
            sum += odds[i];
        }
        for (int i = 0; i < odds.length; i++) {
            odds[i] = (float) (odds[i] / sum);
        }
        return odds;
    }

    /** Where the largest value is, the first of several. */
    static int argmax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }

    /** A decimal number of few places, halves to even, as Python's round. */
    static double round(double value, int places) {
        return new BigDecimal(value).setScale(places, RoundingMode.HALF_EVEN).doubleValue();
    }

    static int[] array(List<Integer> values) {
        int[] array = new int[values.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = values.get(i);
        }
        return array;
    }
}
