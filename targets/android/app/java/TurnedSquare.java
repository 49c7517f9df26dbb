package edgekit.phone.loops;

import java.util.Map;

/** A square of a picture, turned: what it holds stands upright in the cut. */
final class TurnedSquare {
    /** Its middle and its side, in pixels; and by how much its content is turned, in radians, clockwise. */
    final double x;

    final double y;
    final double side;
    private final double cos;
    private final double sin;

    private TurnedSquare(double x, double y, double side, double angle) {
        this.x = x;
        this.y = y;
        this.side = side;
        cos = Math.cos(angle);
        sin = Math.sin(angle);
    }

    /**
     * The square around a detected thing, turned so that the line from one of its points to another stands upright.
     *
     * @param rule "start", "end": indices of the two points; "scale"; "around": "circle", whose middle is the first point
     *     and on which the second lies, or "box", by whose height times "shift" the square is moved along the line.
     */
    static TurnedSquare of(Box thing, Map<String, Object> rule) {
        int start = 2 * Json.integer(rule.get("start")), end = 2 * Json.integer(rule.get("end"));
        double x = thing.points[start], y = thing.points[start + 1];
        double across = thing.points[end] - x, up = y - thing.points[end + 1];
        double angle = Math.PI / 2 - Math.atan2(up, across), scale = Json.number(rule.get("scale"));
        if (!"box".equals(rule.get("around"))) {
            return new TurnedSquare(x, y, 2 * Math.hypot(across, up) * scale, angle);
        }
        double[] box = thing.whole;
        double width = box[2] - box[0], height = box[3] - box[1], moved = Json.number(rule.get("shift")) * height;
        double middleX = (box[0] + box[2]) / 2 - moved * Math.sin(angle);
        double middleY = (box[1] + box[3]) / 2 + moved * Math.cos(angle);
        return new TurnedSquare(middleX, middleY, Math.max(width, height) * scale, angle);
    }

    /** Whether it can be cut. */
    boolean sound() {
        return side >= 1 && side < 1e5;
    }

    /** Positions x, y, x, y .. as shares of the square, in pixels of the picture. */
    double[] placed(float[] shares) {
        double[] places = new double[shares.length];
        for (int i = 0; i < shares.length; i += 2) {
            double across = (shares[i] - 0.5) * side, down = (shares[i + 1] - 0.5) * side;
            places[i] = across * cos - down * sin + x;
            places[i + 1] = across * sin + down * cos + y;
        }
        return places;
    }

    /** What it holds of a picture, upright, [size, size, 3], as Pillow cuts it; black outside of it. */
    byte[] cut(byte[] rgb, int height, int width, int size) {
        double step = side / size, right = cos * step, down = sin * step;
        double[] corner = placed(new float[] {0, 0});
        return Affine.cut(
                rgb, height, width, new double[] {right, -down, corner[0], down, right, corner[1]}, size, size);
    }
}
