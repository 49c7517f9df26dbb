package edgekit.phone.loops;

/** Numbers in rows and columns, resized as Pillow does with pictures of 32-bit floats. */
final class Plane {
    private Plane() {}

    /** A part of a plane: left, top, right, bottom, in columns and rows. */
    static final class Part {
        final float left;
        final float top;
        final float right;
        final float bottom;

        Part(float left, float top, float right, float bottom) {
            this.left = left;
            this.top = top;
            this.right = right;
            this.bottom = bottom;
        }
    }

    /** A part at another size, bilinear with antialiasing. */
    static float[] resize(float[] values, int rows, int columns, Part part, int high, int wide) {
        boolean across = wide != columns || part.left != 0 || part.right != columns;
        boolean down = high != rows || part.top != 0 || part.bottom != rows;
        if (rows > high && rows - high > 2L * (columns - wide)) {
            float[] low = down ? down(values, rows, columns, part, high) : values;
            return across ? across(low, high, columns, part, wide) : low;
        }
        float[] level = across ? across(values, rows, columns, part, wide) : values;
        return down ? down(level, rows, wide, part, high) : level;
    }

    private static float[] across(float[] values, int rows, int columns, Part part, int wide) {
        ResampleWeights weights =
                new ResampleWeights(columns, part.left, part.right, wide, Resample.Filter.BILINEAR);
        float[] out = new float[rows * wide];
        for (int y = 0; y < rows; y++) {
            for (int x = 0; x < wide; x++) {
                out[y * wide + x] = sum(values, y * columns + weights.first[x], 1, weights.of[x]);
            }
        }
        return out;
    }

    private static float[] down(float[] values, int rows, int columns, Part part, int high) {
        ResampleWeights weights = new ResampleWeights(rows, part.top, part.bottom, high, Resample.Filter.BILINEAR);
        float[] out = new float[high * columns];
        for (int y = 0; y < high; y++) {
            for (int x = 0; x < columns; x++) {
                out[y * columns + x] = sum(values, weights.first[y] * columns + x, columns, weights.of[y]);
            }
        }
        return out;
    }

    private static float sum(float[] values, int from, int step, double[] weights) {
        double sum = 0;
        for (int i = 0, at = from; i < weights.length; i++, at += step) {
            sum += values[at] * weights[i];
        }
        return (float) sum;
    }
}
