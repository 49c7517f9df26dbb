package edgekit.phone.loops;

import java.util.Collections;
import java.util.List;

/** What was said. */
public final class Transcript {
    /** A piece of it, in seconds from the start of the sound. */
    public static final class Segment {
        public final double start;
        public final double end;
        public final String text;

        Segment(double start, double end, String text) {
            this.start = start;
            this.end = end;
            this.text = text;
        }
    }

    public final String text;
    /** The code of the language, set or detected; null for a model of a single language. */
    public final String language;
    /** Empty unless timestamps were asked for or the sound is longer than 30 s. */
    public final List<Segment> segments;
    /** Seconds of the encoder's window, for each time that it ran. */
    public final List<Double> windows;
    /** What was tried again, and why. */
    public final List<String> fallbacks;

    Transcript(
            String text, String language, List<Segment> segments, List<Double> windows, List<String> fallbacks) {
        this.text = text;
        this.language = language;
        this.segments = Collections.unmodifiableList(segments);
        this.windows = Collections.unmodifiableList(windows);
        this.fallbacks = Collections.unmodifiableList(fallbacks);
    }
}
