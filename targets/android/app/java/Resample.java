package edgekit.phone.loops;

/**
 * Resizing with antialiasing, bit for bit as Pillow 13's Image.resize does it: separable filters whose support grows with
 * the reduction, weights in whole numbers of 22 bits, rounded to 8 bits after each pass. The vertical pass comes first
 * where a picture loses far more height than width (before Pillow 13, never).
 */
public final class Resample {
    private static final int PRECISION = 32 - 8 - 2;

    /** A filter kernel. */
    public enum Filter {
        BILINEAR(1.0),
        BICUBIC(2.0);

        final double support;

        Filter(double support) {
            this.support = support;
        }

        double weight(double distance) {
            double x = Math.abs(distance);
            if (this == BILINEAR) {
                return x < 1.0 ? 1.0 - x : 0.0;
            }
            double a = -0.5;
            if (x < 1.0) {
                return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
            }
            return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
        }
    }

    private Resample() {}

    /** RGB pixels [height, width, 3] at another size. */
    public static byte[] resize(byte[] rgb, int height, int width, int newHeight, int newWidth, Filter filter) {
        if (height > newHeight && height - newHeight > 2L * (width - newWidth)) {
            byte[] low = down(rgb, height, width, newHeight, filter);
            return width == newWidth ? low : across(low, newHeight, width, newWidth, filter);
        }
        byte[] wide = width == newWidth ? rgb : across(rgb, height, width, newWidth, filter);
        return height == newHeight ? wide : down(wide, height, newWidth, newHeight, filter);
    }

    private static byte[] across(byte[] rgb, int height, int width, int newWidth, Filter filter) {
        ResampleWeights weights = new ResampleWeights(width, 0, width, newWidth, filter);
        byte[] out = new byte[height * newWidth * 3];
        for (int x = 0; x < newWidth; x++) {
            int[] whole = whole(weights.of[x]);
            for (int y = 0; y < height; y++) {
                sum(rgb, (y * width + weights.first[x]) * 3, 3, whole, out, (y * newWidth + x) * 3);
            }
        }
        return out;
    }

    private static byte[] down(byte[] rgb, int height, int width, int newHeight, Filter filter) {
        ResampleWeights weights = new ResampleWeights(height, 0, height, newHeight, filter);
        byte[] out = new byte[newHeight * width * 3];
        for (int y = 0; y < newHeight; y++) {
            int[] whole = whole(weights.of[y]);
            for (int x = 0; x < width; x++) {
                sum(rgb, (weights.first[y] * width + x) * 3, width * 3, whole, out, (y * width + x) * 3);
            }
        }
        return out;
    }

    private static void sum(byte[] rgb, int from, int step, int[] weights, byte[] out, int to) {
        int red = 1 << PRECISION - 1, green = red, blue = red;
        for (int i = 0, at = from; i < weights.length; i++, at += step) {
            red += (rgb[at] & 255) * weights[i];
            green += (rgb[at + 1] & 255) * weights[i];
            blue += (rgb[at + 2] & 255) * weights[i];
        }
        out[to] = clip(red);
        out[to + 1] = clip(green);
        out[to + 2] = clip(blue);
    }

    private static byte clip(int value) {
        return (byte) Math.max(0, Math.min(255, value >> PRECISION));
    }

    /** Shares in whole numbers. */
    private static int[] whole(double[] shares) {
        int[] weights = new int[shares.length];
        for (int x = 0; x < weights.length; x++) {
            weights[x] = (int) ((shares[x] < 0 ? -0.5 : 0.5) + shares[x] * (1 << PRECISION));
        }
        return weights;
    }
}
