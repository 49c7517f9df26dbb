package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** A thing in a picture. */
public final class Box {
    /** Boxes of a label, and of a picture, at most. */
    private static final int MOST = 100;

    public final String label;
    /** 0..1. */
    public final double score;
    /** Left, top, right, bottom in pixels of the picture, cut at its edges; and as the network has them. */
    public final double[] sides;

    public final double[] whole;
    /** x, y, x, y .. of its points in pixels, also outside of the picture; empty if the network tells none. */
    public final double[] points;

    Box(String label, double score, double[] sides, double[] whole, double[] points) {
        this.label = label;
        this.score = score;
        this.sides = sides;
        this.whole = whole;
        this.points = points;
    }

    /** Intersection over union. */
    private double overlap(Box other) {
        double wide = Math.min(sides[2], other.sides[2]) - Math.max(sides[0], other.sides[0]);
        double high = Math.min(sides[3], other.sides[3]) - Math.max(sides[1], other.sides[1]);
        double common = Math.max(0, wide) * Math.max(0, high), union = area() + other.area() - common;
        return union > 0 ? common / union : 0;
    }

    private double area() {
        return Math.max(0, sides[2] - sides[0]) * Math.max(0, sides[3] - sides[1]);
    }

    /**
     * Non-maximum suppression: of boxes of a label that overlap by more than `overlap` the best stays. Best first.
     *
     * @param boxes of each label.
     */
    static List<Box> kept(List<List<Box>> boxes, double overlap) {
        List<Box> kept = new ArrayList<>();
        for (List<Box> left : boxes) {
            sort(left);
            List<Box> chosen = new ArrayList<>();
            for (int i = 0; i < left.size() && chosen.size() < MOST; i++) {
                boolean free = true;
                for (Box better : chosen) {
                    free &= better.overlap(left.get(i)) <= overlap;
                }
                if (free) {
                    chosen.add(left.get(i));
                }
            }
            kept.addAll(chosen);
        }
        sort(kept);
        return new ArrayList<>(kept.subList(0, Math.min(MOST, kept.size())));
    }

    /** The labels, for people. */
    public static String text(List<Box> boxes) {
        StringBuilder text = new StringBuilder();
        for (Box box : boxes) {
            text.append(text.length() == 0 ? "" : ", ").append(box.label);
        }
        return text.length() == 0 ? "nothing" : text.toString();
    }

    /** Best first; of equal ones the earlier. */
    private static void sort(List<Box> boxes) {
        Collections.sort(boxes, new Comparator<Box>() {
            @Override
            public int compare(Box first, Box second) {
                return Double.compare(second.score, first.score);
            }
        });
    }
}
