package edgekit.phone.loops;

import java.util.Map;

/** How a text is read. */
public final class VoiceManner {
    /** 2 is twice as fast; from 0.25 to 4. */
    public final double speed;
    /** How much readings differ in sound, and in durations; from 0, not at all, to 2. */
    public final double noise;

    public final double rhythm;
    /** Of the noise: the same seed reads alike. */
    public final int seed;

    /** Throws IllegalArgumentException for a number out of range. */
    public VoiceManner(double speed, double noise, double rhythm, int seed) {
        if (!(speed >= 0.25 && speed <= 4 && noise >= 0 && noise <= 2 && rhythm >= 0 && rhythm <= 2 && seed >= 0)) {
            throw new IllegalArgumentException(
                    "a speed is from 0.25 to 4, noise and rhythm are from 0 to 2, and a seed is not below 0");
        }
        this.speed = speed;
        this.noise = noise;
        this.rhythm = rhythm;
        this.seed = seed;
    }

    /** Those of a bundle. @param facts "manner" of its facts. */
    static VoiceManner of(Map<String, Object> facts) {
        return new VoiceManner(
                Json.number(facts.get("speed")), Json.number(facts.get("noise")), Json.number(facts.get("rhythm")),
                Json.integer(facts.get("seed")));
    }
}
