package edgekit.phone.loops;

import java.util.Map;

/** A picture laid whole into a network's input, and the way back from the input's positions to the picture's pixels. */
final class PlacedPicture {
    /** RGB [height, width, 3] of the network's size. */
    final byte[] pixels;
    /** Of the picture, in pixels. */
    final int width;

    final int height;
    /** Where the picture lies in the input: left, top, width and height, as shares of the input. */
    final double left;

    final double top;
    final double across;
    final double down;

    private PlacedPicture(byte[] pixels, int width, int height, double[] part) {
        this.pixels = pixels;
        this.width = width;
        this.height = height;
        left = part[0];
        top = part[1];
        across = part[2];
        down = part[3];
    }

    /**
     * A picture in an input of `high` x `wide`.
     *
     * @param rgb pixels [height, width, 3], upright, without transparency.
     * @param rule "resize" of the bundle's facts: with "letterbox" the picture keeps its proportions, in the middle, and
     *     what is left is black; else it is scaled as a whole.
     * @throws IllegalArgumentException there are more or fewer pixels, or the rule is another one.
     */
    static PlacedPicture of(byte[] rgb, int height, int width, Map<String, Object> rule, int high, int wide) {
        if (height < 1 || width < 1 || rgb.length != (long) height * width * 3) {
            throw new IllegalArgumentException(rgb.length + " bytes are not " + height + " x " + width + " RGB pixels");
        }
        if (rule.containsKey("short_side") || rule.containsKey("crop") || rule.containsKey("size")) {
            throw new IllegalArgumentException("the network's input is a part of the picture only");
        }
        Resample.Filter filter =
                "bicubic".equals(rule.get("filter")) ? Resample.Filter.BICUBIC : Resample.Filter.BILINEAR;
        if (!Boolean.TRUE.equals(rule.get("letterbox"))) {
            byte[] whole = Resample.resize(rgb, height, width, high, wide, filter);
            return new PlacedPicture(whole, width, height, new double[] {0, 0, 1, 1});
        }
        double scale = Math.min(wide / (double) width, high / (double) height);
        int newWide = Math.max(1, (int) Math.rint(width * scale)), newHigh = Math.max(1, (int) Math.rint(height * scale));
        int left = (wide - newWide) / 2, top = (high - newHigh) / 2;
        byte[] scaled = Resample.resize(rgb, height, width, newHigh, newWide, filter);
        byte[] pixels = new byte[high * wide * 3];
        for (int y = 0; y < newHigh; y++) {
            System.arraycopy(scaled, y * newWide * 3, pixels, ((top + y) * wide + left) * 3, newWide * 3);
        }
        return new PlacedPicture(pixels, width, height, new double[] {
            left / (double) wide, top / (double) high, newWide / (double) wide, newHigh / (double) high
        });
    }

    /** Positions x, y, x, y .. as shares of the input, in pixels of the picture; not cut at its edges. */
    double[] back(float[] shares, int from, int count) {
        double[] places = new double[count];
        for (int i = 0; i < count; i += 2) {
            places[i] = backX(shares[from + i]);
            places[i + 1] = backY(shares[from + i + 1]);
        }
        return places;
    }

    /** The same of one number. */
    double backX(double share) {
        return (share - left) / across * width;
    }

    double backY(double share) {
        return (share - top) / down * height;
    }
}
