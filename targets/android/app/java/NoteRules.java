package edgekit.phone.loops;

import java.util.Map;

/** How notes follow from activations in 0..1. */
public final class NoteRules {
    /** Least activation of an onset. */
    public final float onset;
    /** Least activation with which a note goes on. */
    public final float frame;
    /** Frames that a note must exceed. */
    public final int shortest;
    /** Frames below `frame` after which a note has ended. */
    public final int tolerance;

    /** Throws IllegalArgumentException for an activation outside of 0..1, or frames below 0. */
    public NoteRules(double onset, double frame, int shortest, int tolerance) {
        if (!(onset >= 0 && onset <= 1 && frame >= 0 && frame <= 1 && shortest >= 0 && tolerance >= 0)) {
            throw new IllegalArgumentException("activations are from 0 to 1, and frames from 0 on");
        }
        this.onset = (float) onset;
        this.frame = (float) frame;
        this.shortest = shortest;
        this.tolerance = tolerance;
    }

    /** Those of a bundle. @param facts "rules" of its facts. */
    static NoteRules of(Map<String, Object> facts) {
        return new NoteRules(
                Json.number(facts.get("onset")), Json.number(facts.get("frame")), Json.integer(facts.get("shortest")),
                Json.integer(facts.get("tolerance")));
    }
}
