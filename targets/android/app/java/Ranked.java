package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** A label, its class and its score. */
public final class Ranked {
    public final String label;
    public final int classIndex;
    public final float score;

    private Ranked(String label, int classIndex, float score) {
        this.label = label;
        this.classIndex = classIndex;
        this.score = score;
    }

    /** The labels with the largest scores, the best first; of equal ones the later class. */
    static List<Ranked> of(float[] scores, String[] labels, int top) {
        List<Ranked> ranking = new ArrayList<>();
        for (int i = 0; i < scores.length; i++) {
            ranking.add(new Ranked(labels[i], i, scores[i]));
        }
        Collections.sort(ranking, new Comparator<Ranked>() {
            @Override
            public int compare(Ranked first, Ranked second) {
                int order = Float.compare(second.score, first.score);
                return order != 0 ? order : Integer.compare(second.classIndex, first.classIndex);
            }
        });
        return new ArrayList<>(ranking.subList(0, Math.min(Math.max(1, top), ranking.size())));
    }
}
