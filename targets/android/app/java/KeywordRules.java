package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Map;

/** How scores become events; an operating point in the bundle has the last word about the limit. */
final class KeywordRules {
    final String[] labels;
    /** Looks whose scores are added. */
    final int smoothed;
    /** The largest sum that is no event. */
    final int limit;
    /** Looks after an event in which none can follow. */
    final int refractory;
    /** Whether looks before the first count as silence (else the first window of looks must be whole). */
    final boolean early;
    /** Samples until the first look, from a look to the next, and in a second. */
    final int first;
    final int hop;
    final int rate;

    private KeywordRules(
            Map<String, Object> facts, String[] labels, int smoothed, int limit, int refractory, boolean early, int first,
            int hop) {
        this.labels = labels;
        this.smoothed = smoothed;
        this.refractory = refractory;
        this.early = early;
        this.first = first;
        this.hop = hop;
        rate = Json.integer(Json.object(facts.get("frontend")).get("rate"));
        Object point = facts.get("operating_point");
        Object chosen = point == null ? null : Json.object(point).get("limit");
        this.limit = chosen == null ? limit : Json.integer(chosen);
        if (this.limit < 0 || this.limit > KeywordJudge.STEPS * smoothed) {
            throw new IllegalArgumentException("the bundle's operating point has the limit " + this.limit);
        }
    }

    static KeywordRules of(Map<String, Object> facts) {
        Map<String, Object> rules = Json.object(facts.get("rules")), frontend = Json.object(facts.get("frontend"));
        String[] labels = Json.texts(facts.get("labels"));
        int refractory = Json.integer(rules.get("refractory"));
        if (facts.containsKey("silence")) { // openWakeWord
            int limit = (int) Math.ceil(Json.number(rules.get("cutoff")) * KeywordJudge.STEPS) - 1;
            int hop = Json.integer(frontend.get("hop"));
            int first = Json.integer(frontend.get("samples")) - hop;
            return new KeywordRules(facts, labels, 1, limit, refractory, true, first, hop);
        }
        int smoothed = Json.integer(rules.get("smoothed"));
        int window = Json.integer(frontend.get("window")), step = Json.integer(frontend.get("step"));
        if (rules.containsKey("words")) { // words in the last second
            int first = window + (Json.integer(rules.get("frames")) - 1) * step;
            int limit = Json.integer(rules.get("threshold")) * smoothed;
            String[] words = Arrays.copyOf(labels, Json.integer(rules.get("words")));
            int hop = Json.integer(rules.get("hop")) * step;
            return new KeywordRules(facts, words, smoothed, limit, refractory, true, first, hop);
        }
        int stride = Json.integer(rules.get("stride")); // microWakeWord
        int limit = limit(Json.number(rules.get("cutoff")), smoothed);
        int first = window + (stride - 1) * step;
        return new KeywordRules(facts, labels, smoothed, limit, refractory, false, first, stride * step);
    }

    /** The largest sum of so many scores whose mean does not exceed the cutoff. */
    private static int limit(double cutoff, int smoothed) {
        int steps = KeywordJudge.STEPS * smoothed;
        int limit = 0;
        for (int total = 0; total < steps; total++) {
            limit = total / (double) steps <= cutoff ? total : limit;
        }
        return limit;
    }
}
