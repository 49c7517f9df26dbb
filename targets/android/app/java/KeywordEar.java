package edgekit.phone.loops;

import java.util.Map;

/** From a window of samples to scores 0..255 of every class. Each frontend and network has its own. */
abstract class KeywordEar {
    /** Samples that a look takes, and from a look to the next. */
    final int size;
    final int hop;

    KeywordEar(int size, int hop) {
        this.size = size;
        this.hop = hop;
    }

    /** Samples of silence that are taken to have been before the sound. */
    int before() {
        return 0;
    }

    /** Scores of the window, whose samples are in [-1, 1). */
    abstract int[] look(float[] window);

    abstract void reset();

    static KeywordEar of(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        if (facts.containsKey("silence")) {
            return new OpenWakewordEar(parts, facts);
        }
        if (Json.object(facts.get("rules")).containsKey("words")) {
            return new KeywordWindowEar(parts, description, KeywordRules.of(facts));
        }
        return new WakewordStrideEar(parts, facts, KeywordRules.of(facts));
    }
}
