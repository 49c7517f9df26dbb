package edgekit.phone.loops;

/** Turned parts of pictures, as Pillow cuts them with bilinear filtering; black outside of the picture. */
final class Affine {
    private Affine() {}

    /**
     * A part [high, wide, 3] of RGB pixels [height, width, 3].
     *
     * @param a to {@code (a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5])} of the picture belongs x, y of the part.
     */
    static byte[] cut(byte[] rgb, int height, int width, double[] a, int high, int wide) {
        byte[] out = new byte[high * wide * 3];
        for (int row = 0; row < high; row++) {
            for (int column = 0; column < wide; column++) {
                double x = column + 0.5, y = row + 0.5;
                double atX = a[0] * x + a[1] * y + a[2], atY = a[3] * x + a[4] * y + a[5];
                if (atX >= 0 && atX < width && atY >= 0 && atY < height) {
                    sample(rgb, height, width, atX - 0.5, atY - 0.5, out, (row * wide + column) * 3);
                }
            }
        }
        return out;
    }

    /** The four pixels around a place, by their nearness; behind an edge its pixels go on. */
    private static void sample(byte[] rgb, int height, int width, double x, double y, byte[] out, int to) {
        int left = (int) Math.floor(x), top = (int) Math.floor(y);
        double dx = x - left, dy = y - top;
        int first = 3 * Math.max(0, left), second = 3 * Math.min(width - 1, left + 1);
        int upper = 3 * width * Math.max(0, top), lower = 3 * width * Math.min(height - 1, top + 1);
        for (int band = 0; band < 3; band++) {
            double above = between(rgb, upper + first + band, upper + second + band, dx);
            double below = between(rgb, lower + first + band, lower + second + band, dx);
            out[to + band] = (byte) (int) (above + (below - above) * dy);
        }
    }

    private static double between(byte[] rgb, int first, int second, double share) {
        int from = rgb[first] & 255, to = rgb[second] & 255;
        return from + (to - from) * share;
    }
}
