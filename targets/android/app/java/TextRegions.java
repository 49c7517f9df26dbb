package edgekit.phone.loops;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** From a map of chances that a pixel is text to rectangles around lines of text (Liao et al. 2020, arXiv:1911.08947). */
final class TextRegions {
    /** Rectangles with a shorter side, in pixels of the map, are no text; and after they have grown. */
    private static final double THIN = 3;

    private static final double GROWN = 5;

    private final float[] chances;
    private final int side;
    private final boolean[] left;

    private TextRegions(float[] chances, int side, float least) {
        this.chances = chances;
        this.side = side;
        left = new boolean[chances.length];
        // Dilated by a pixel to the right and below, which joins what touches at a corner only.
        for (int at = 0; at < chances.length; at++) {
            int right = at % side < side - 1 ? 1 : 0, below = at < chances.length - side ? side : 0;
            if (chances[at] > least) {
                left[at] = left[at + right] = left[at + below] = left[at + below + right] = true;
            }
        }
    }

    /**
     * The lines of text in a map [side, side], in its pixels, the surest first.
     *
     * @param rule "pixel", the least chance of a pixel; "line", the least mean chance in a rectangle; "growth" on each
     *     side, as a multiple of the rectangle's area over its perimeter; "most" lines.
     */
    static List<TextRectangle> lines(float[] chances, int side, Map<String, Object> rule) {
        TextRegions regions = new TextRegions(chances, side, (float) Json.number(rule.get("pixel")));
        double line = Json.number(rule.get("line")), growth = Json.number(rule.get("growth"));
        List<TextRectangle> lines = new ArrayList<>();
        for (int at = 0; at < chances.length; at++) {
            if (!regions.left[at]) {
                continue;
            }
            TextRectangle made = TextRectangle.around(regions.group(at));
            double thin = Math.min(made.first, made.second), area = made.first * made.second;
            if (thin < THIN) {
                continue;
            }
            made.score = regions.mean(made.corners());
            double more = 2 * growth * area / (2 * (made.first + made.second));
            if (made.score >= line && thin + more >= GROWN) {
                lines.add(made.grown(more));
            }
        }
        Collections.sort(lines, new Comparator<TextRectangle>() {
            @Override
            public int compare(TextRectangle first, TextRectangle second) {
                return Double.compare(second.score, first.score);
            }
        });
        return lines.subList(0, Math.min(lines.size(), Json.integer(rule.get("most"))));
    }

    /** The pixels that touch one another, also at corners, as x, y; they are taken away. */
    private List<int[]> group(int first) {
        List<int[]> points = new ArrayList<>();
        ArrayDeque<Integer> waiting = new ArrayDeque<>();
        waiting.add(first);
        left[first] = false;
        while (!waiting.isEmpty()) {
            int at = waiting.poll(), x = at % side, y = at / side;
            points.add(new int[] {x, y});
            for (int row = Math.max(0, y - 1); row <= Math.min(side - 1, y + 1); row++) {
                for (int column = Math.max(0, x - 1); column <= Math.min(side - 1, x + 1); column++) {
                    if (left[row * side + column]) {
                        left[row * side + column] = false;
                        waiting.add(row * side + column);
                    }
                }
            }
        }
        return points;
    }

    /** The mean of the map's pixels inside of a rectangle. */
    private double mean(double[][] corners) {
        double[] low = corners[0].clone(), high = corners[0].clone();
        for (double[] corner : corners) {
            for (int axis = 0; axis < 2; axis++) {
                low[axis] = Math.min(low[axis], corner[axis]);
                high[axis] = Math.max(high[axis], corner[axis]);
            }
        }
        double sum = 0;
        int count = 0;
        for (int y = cut(Math.floor(low[1])); y <= cut(Math.ceil(high[1])); y++) {
            for (int x = cut(Math.floor(low[0])); x <= cut(Math.ceil(high[0])); x++) {
                boolean inside = true;
                for (int i = 0; i < 4; i++) {
                    double[] from = corners[i], to = corners[(i + 1) % 4];
                    inside &= (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0]) >= -1e-6;
                }
                sum += inside ? chances[y * side + x] : 0;
                count += inside ? 1 : 0;
            }
        }
        return count > 0 ? sum / count : 0;
    }

    private int cut(double place) {
        return (int) Math.max(0, Math.min(side - 1, place));
    }
}
