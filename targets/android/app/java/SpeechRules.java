package edgekit.phone.loops;

import java.util.Map;

/**
 * How spans of speech follow from probabilities. All but the first two are seconds. The defaults are those of Silero VAD's
 * get_speech_timestamps.
 */
public final class SpeechRules {
    /** Speech begins at this probability. */
    public final double threshold;
    /** It ends below this one; NaN: 0.15 under the threshold. */
    public final double release;
    /** Speech that is not longer is dropped. */
    public final double shortest;
    /** Silence that is shorter does not end a span. */
    public final double pause;
    /** Added at both sides of a span, at most to the middle of the pause between two. */
    public final double padding;
    /** A span is cut before it gets longer. */
    public final double longest;
    /** The pause in which that happens is longer than this; without such a pause it is cut where it is. */
    public final double cut;

    /** Throws IllegalArgumentException for a rule that is none. */
    public SpeechRules(
            double threshold, double release, double shortest, double pause, double padding, double longest, double cut) {
        this.threshold = threshold;
        this.release = Double.isNaN(release) ? Math.max(threshold - 0.15, 0.01) : release;
        this.shortest = shortest;
        this.pause = pause;
        this.padding = padding;
        this.longest = longest;
        this.cut = cut;
        boolean durations = shortest >= 0 && pause >= 0 && padding >= 0 && cut >= 0;
        if (!(threshold >= 0 && threshold <= 1 && this.release >= 0 && this.release <= threshold && durations)) {
            throw new IllegalArgumentException("a threshold is at most 1, a release at most the threshold, nothing below 0");
        }
        if (!(longest >= 1)) {
            throw new IllegalArgumentException("spans of " + longest + " s at most are too short: one second at least");
        }
    }

    /** Those of a bundle. @param facts "rules" of its facts. */
    static SpeechRules of(Map<String, Object> facts) {
        return new SpeechRules(
                number(facts, "threshold", 0.5), number(facts, "release", Double.NaN), number(facts, "shortest", 0.25),
                number(facts, "pause", 0.1), number(facts, "padding", 0.03),
                number(facts, "longest", Double.POSITIVE_INFINITY), number(facts, "cut", 0.098));
    }

    private static double number(Map<String, Object> facts, String name, double otherwise) {
        return facts.get(name) == null ? otherwise : Json.number(facts.get(name));
    }
}
