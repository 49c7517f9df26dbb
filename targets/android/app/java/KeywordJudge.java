package edgekit.phone.loops;

import java.util.Arrays;

/** From scores, look by look, to events: smoothed, above a limit, and not right after another. Whole numbers. */
final class KeywordJudge {
    /** Scores are 0..255 in steps of 1 / 256. */
    static final int STEPS = 256;

    private final KeywordRules rules;
    private final int[][] held;
    private long looks;
    private int quiet;

    KeywordJudge(KeywordRules rules) {
        this.rules = rules;
        held = new int[rules.smoothed][rules.labels.length];
    }

    void reset() {
        looks = 0;
        quiet = 0;
        for (int[] scores : held) {
            Arrays.fill(scores, 0);
        }
    }

    /** Scores of the next look; returns the event that they complete, mostly null. */
    KeywordEvent push(int[] scores) {
        long look = looks++;
        System.arraycopy(scores, 0, held[(int) (look % rules.smoothed)], 0, rules.labels.length);
        if (!rules.early && looks < rules.smoothed) {
            return null;
        }
        int best = 0, most = -1;
        for (int word = 0; word < rules.labels.length; word++) {
            int total = 0;
            for (int[] earlier : held) {
                total += earlier[word];
            }
            if (total > most) {
                best = word;
                most = total;
            }
        }
        if (quiet > 0) {
            quiet--;
            return null;
        }
        if (most <= rules.limit) {
            return null;
        }
        quiet = rules.refractory;
        double time = (rules.first + look * (double) rules.hop) / rules.rate;
        double score = most / (double) rules.smoothed / STEPS;
        return new KeywordEvent(rules.labels[best], Numbers.round(time, 3), Numbers.round(score, 3));
    }
}
