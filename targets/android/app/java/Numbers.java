package edgekit.phone.loops;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;

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

    /** A decimal number for people, as Python writes it: so many places, halves to even, and perhaps a plus. */
    static String text(double value, int places, boolean signed) {
        // The sign of a zero that was rounded stays.
        double rounded = Math.copySign(round(value, places), value);
        return String.format(Locale.ROOT, "%" + (signed ? "+" : "") + "." + places + "f", rounded);
    }

    /** The first digits of a number, as Python writes it with "g". */
    static String digits(double value, int count) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(count, RoundingMode.HALF_EVEN));
        int exponent = rounded.signum() == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        BigDecimal plain = rounded.signum() == 0 ? BigDecimal.ZERO : rounded.stripTrailingZeros();
        if (exponent >= -4 && exponent < count) {
            return plain.toPlainString();
        }
        String size = (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
        return plain.movePointLeft(exponent).stripTrailingZeros().toPlainString() + "e" + size;
    }

    static int[] array(List<Integer> values) {
        int[] array = new int[values.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = values.get(i);
        }
        return array;
    }
}
