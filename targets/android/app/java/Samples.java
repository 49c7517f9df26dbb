package edgekit.phone.loops;

/** A mono sound at the model's sample rate, as floats in [-1, 1], that need not be in memory as a whole. */
public abstract class Samples {
    /** How many samples there are. */
    public abstract long length();

    /** Copies samples from {@code start} on into {@code into}; returns how many, fewer than it holds only at the end. */
    public abstract int read(long start, float[] into);

    /** Samples [start, start + most), fewer at the end. */
    public final float[] window(long start, int most) {
        float[] values = new float[(int) Math.max(0, Math.min(most, length() - start))];
        int got = read(start, values);
        if (got != values.length) {
            throw new IllegalArgumentException("the sound ends after " + (start + got) + " samples, not " + length());
        }
        for (float value : values) {
            if (Float.isNaN(value) || Float.isInfinite(value)) {
                throw new IllegalArgumentException("the audio holds values that are not numbers (NaN or infinite)");
            }
        }
        return values;
    }

    /** Of an array, which must not change while it is used. */
    public static Samples of(final float[] values) {
        return new Samples() {
            @Override
            public long length() {
                return values.length;
            }

            @Override
            public int read(long start, float[] into) {
                int count = (int) Math.max(0, Math.min(into.length, values.length - start));
                System.arraycopy(values, (int) Math.min(start, values.length), into, 0, count);
                return count;
            }
        };
    }
}
