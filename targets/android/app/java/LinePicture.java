package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A line of text cut out of a picture, upright: RGB [height, width, 3]. */
final class LinePicture {
    /** What is this much higher than wide is a line that runs upwards or downwards. */
    private static final double UPRIGHT = 1.5;
    /** Beside a line: 0 after normalisation, as in training. */
    private static final byte GREY = (byte) 128;
    /** Where a long line may be parted: in the last share of a piece. */
    private static final double LAST = 0.35;

    final byte[] rgb;
    final int height;
    final int width;

    LinePicture(byte[] rgb, int height, int width) {
        this.rgb = rgb;
        this.height = height;
        this.width = width;
    }

    /** What a rectangle holds of this picture; one that stands on its short side is laid down, its right side above. */
    LinePicture cut(double[][] corners) {
        double[] origin = corners[0], right = corners[1], below = corners[3];
        double wide = Math.hypot(right[0] - origin[0], right[1] - origin[1]);
        double high = Math.hypot(below[0] - origin[0], below[1] - origin[1]);
        int columns = Math.max(1, (int) Math.rint(wide)), rows = Math.max(1, (int) Math.rint(high));
        double[] inverse = {
            (right[0] - origin[0]) / columns, (below[0] - origin[0]) / rows, origin[0],
            (right[1] - origin[1]) / columns, (below[1] - origin[1]) / rows, origin[1]
        };
        byte[] line = Affine.cut(rgb, height, width, inverse, rows, columns);
        LinePicture made = new LinePicture(line, rows, columns);
        return high >= UPRIGHT * wide ? made.turned(false) : made;
    }

    /** Turned by half, or by a quarter against the clock. */
    LinePicture turned(boolean half) {
        int high = half ? height : width, wide = half ? width : height;
        byte[] out = new byte[rgb.length];
        for (int y = 0; y < high; y++) {
            for (int x = 0; x < wide; x++) {
                int from = half ? (height - 1 - y) * width + width - 1 - x : x * width + width - 1 - y;
                System.arraycopy(rgb, from * 3, out, (y * wide + x) * 3, 3);
            }
        }
        return new LinePicture(out, high, wide);
    }

    /** At another size, bilinear. */
    LinePicture resized(int high, int wide) {
        return new LinePicture(Resample.resize(rgb, height, width, high, wide, Resample.Filter.BILINEAR), high, wide);
    }

    /** At a height, in pieces of at most so many columns, parted where columns are the most alike, as between words. */
    List<LinePicture> pieces(int high, int most) {
        LinePicture left = resized(high, Math.max(1, (int) Math.rint(width * (double) high / height)));
        List<LinePicture> pieces = new ArrayList<>();
        while (left.width > most) {
            double[] smooth = left.smooth();
            int at = (int) Math.rint(most * (1 - LAST));
            for (int x = at; x < most; x++) {
                at = smooth[x] < smooth[at] ? x : at;
            }
            pieces.add(left.columns(0, at));
            left = left.columns(at, left.width);
        }
        pieces.add(left);
        return pieces;
    }

    /** How much the pixels of a column differ, as a mean of five columns. */
    private double[] smooth() {
        double[] smooth = new double[width];
        for (int x = 0; x < width; x++) {
            double mean = 0, square = 0;
            for (int y = 0; y < height; y++) {
                int at = (y * width + x) * 3;
                double value = ((rgb[at] & 255) + (rgb[at + 1] & 255) + (rgb[at + 2] & 255)) / 3.0;
                mean += value / height;
                square += value * value / height;
            }
            double spread = Math.sqrt(Math.max(0, square - mean * mean)) / 5;
            for (int near = Math.max(0, x - 2); near <= Math.min(width - 1, x + 2); near++) {
                smooth[near] += spread;
            }
        }
        return smooth;
    }

    private LinePicture columns(int from, int to) {
        byte[] out = new byte[height * (to - from) * 3];
        for (int y = 0; y < height; y++) {
            System.arraycopy(rgb, (y * width + from) * 3, out, y * (to - from) * 3, (to - from) * 3);
        }
        return new LinePicture(out, height, to - from);
    }

    /** In an input of so many columns: at the left, grey beside it; a wider one is squeezed. */
    byte[] filled(int wide) {
        LinePicture line = width > wide ? resized(height, wide) : this;
        byte[] out = new byte[height * wide * 3];
        Arrays.fill(out, GREY);
        for (int y = 0; y < height; y++) {
            System.arraycopy(line.rgb, y * line.width * 3, out, y * wide * 3, line.width * 3);
        }
        return out;
    }
}
