package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** A rectangle around pixels, turned as they lie. */
final class TextRectangle {
    /** Its middle, and the direction of its first side: the one nearer to the horizontal, towards the right. */
    private final double x;

    private final double y;
    private final double axisX;
    private final double axisY;
    /** Lengths of both sides. */
    final double first;

    final double second;
    /** The mean chance inside of it. */
    double score;

    private TextRectangle(double x, double y, double axisX, double axisY, double first, double second) {
        this.x = x;
        this.y = y;
        this.axisX = axisX;
        this.axisY = axisY;
        this.first = first;
        this.second = second;
    }

    /** The same, both sides longer. */
    TextRectangle grown(double by) {
        TextRectangle grown = new TextRectangle(x, y, axisX, axisY, first + by, second + by);
        grown.score = score;
        return grown;
    }

    /** x, y of the corners from the upper left on clockwise. */
    double[][] corners() {
        double alongX = axisX * first / 2, alongY = axisY * first / 2;
        double acrossX = -axisY * second / 2, acrossY = axisX * second / 2;
        return new double[][] {
            {x - alongX - acrossX, y - alongY - acrossY}, {x + alongX - acrossX, y + alongY - acrossY},
            {x + alongX + acrossX, y + alongY + acrossY}, {x - alongX + acrossX, y - alongY + acrossY}
        };
    }

    /** The one of the least area around points; one of its sides lies on one of their hull's. */
    static TextRectangle around(List<int[]> points) {
        List<int[]> hull = hull(points);
        double[] best = null;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < hull.size(); i++) {
            int[] from = hull.get(i), to = hull.get((i + 1) % hull.size());
            double wide = to[0] - from[0], high = to[1] - from[1], length = Math.hypot(wide, high);
            double axisX = length > 0 ? wide / length : 1, axisY = length > 0 ? high / length : 0;
            double[] along = span(hull, axisX, axisY), across = span(hull, -axisY, axisX);
            double area = (along[1] - along[0]) * (across[1] - across[0]);
            if (area < least) {
                least = area;
                best = new double[] {axisX, axisY, along[0], along[1], across[0], across[1]};
            }
        }
        double axisX = best[0], axisY = best[1], along = (best[2] + best[3]) / 2, across = (best[4] + best[5]) / 2;
        double first = best[3] - best[2], second = best[5] - best[4];
        double x = axisX * along - axisY * across, y = axisY * along + axisX * across;
        if (Math.abs(axisX) < Math.abs(axisY)) {
            return right(x, y, -axisY, axisX, second, first);
        }
        return right(x, y, axisX, axisY, first, second);
    }

    private static TextRectangle right(double x, double y, double axisX, double axisY, double first, double second) {
        int sign = axisX > 0 ? 1 : -1;
        return new TextRectangle(x, y, sign * axisX, sign * axisY, first, second);
    }

    /** Where points begin and end in a direction. */
    private static double[] span(List<int[]> points, double x, double y) {
        double[] span = {Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
        for (int[] point : points) {
            double at = point[0] * x + point[1] * y;
            span[0] = Math.min(span[0], at);
            span[1] = Math.max(span[1], at);
        }
        return span;
    }

    /** The convex hull, in order (Andrew 1979). */
    private static List<int[]> hull(List<int[]> points) {
        int[][] ordered = points.toArray(new int[0][]);
        Arrays.sort(ordered, new Comparator<int[]>() {
            @Override
            public int compare(int[] a, int[] b) {
                return a[0] != b[0] ? Integer.compare(a[0], b[0]) : Integer.compare(a[1], b[1]);
            }
        });
        List<int[]> hull = new ArrayList<>();
        for (int half = 0; half < 2; half++) {
            int base = hull.size();
            for (int i = 0; i < ordered.length; i++) {
                int[] point = ordered[half == 0 ? i : ordered.length - 1 - i];
                while (hull.size() - base > 1 && turn(hull.get(hull.size() - 2), hull.get(hull.size() - 1), point) <= 0) {
                    hull.remove(hull.size() - 1);
                }
                hull.add(point);
            }
            hull.remove(hull.size() - 1);
        }
        return hull.isEmpty() ? Arrays.asList(ordered[0]) : hull;
    }

    private static long turn(int[] a, int[] b, int[] c) {
        return (long) (b[0] - a[0]) * (c[1] - a[1]) - (long) (b[1] - a[1]) * (c[0] - a[0]);
    }
}
