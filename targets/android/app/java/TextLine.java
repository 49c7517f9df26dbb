package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** A line of text in a picture. */
public final class TextLine {
    /** Lines stand side by side if their middles differ by less than this share of their height. */
    private static final double BESIDE = 0.5;

    public final String text;
    /** The mean probability of its letters. */
    public final double score;
    /** x, y of its corners in pixels, from where the text begins. */
    public final double[][] corners;

    TextLine(String text, double score, double[][] corners) {
        this.text = text;
        this.score = score;
        this.corners = corners;
    }

    private double least(int axis) {
        return Math.min(
                Math.min(corners[0][axis], corners[1][axis]), Math.min(corners[2][axis], corners[3][axis]));
    }

    private double most(int axis) {
        return Math.max(
                Math.max(corners[0][axis], corners[1][axis]), Math.max(corners[2][axis], corners[3][axis]));
    }

    private double middle() {
        return (least(1) + most(1)) / 2;
    }

    private double high() {
        return most(1) - least(1);
    }

    /** From above, and of those that stand side by side from the left. */
    static List<TextLine> ordered(List<TextLine> lines) {
        Collections.sort(lines, new Comparator<TextLine>() {
            @Override
            public int compare(TextLine first, TextLine second) {
                return Double.compare(first.middle(), second.middle());
            }
        });
        List<TextLine> ordered = new ArrayList<>(), row = new ArrayList<>();
        for (TextLine line : lines) {
            TextLine first = row.isEmpty() ? line : row.get(0);
            if (line.middle() - first.middle() >= BESIDE * Math.min(line.high(), first.high())) {
                end(row, ordered);
            }
            row.add(line);
        }
        end(row, ordered);
        return ordered;
    }

    private static void end(List<TextLine> row, List<TextLine> ordered) {
        Collections.sort(row, new Comparator<TextLine>() {
            @Override
            public int compare(TextLine first, TextLine second) {
                return Double.compare(first.least(0), second.least(0));
            }
        });
        ordered.addAll(row);
        row.clear();
    }

    /** All lines, for people. */
    public static String text(List<TextLine> lines) {
        StringBuilder text = new StringBuilder();
        for (TextLine line : lines) {
            text.append(text.length() == 0 ? "" : "\n").append(line.text);
        }
        return text.toString();
    }
}
