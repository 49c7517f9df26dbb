package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** What accumulates over the windows of one sound. */
final class WhisperRun {
    final WhisperOptions options;
    /** Runs between two runs of the network; throws to end the loop. */
    final Runnable check;
    /** Null until it is detected. */
    String language;

    final List<Integer> text = new ArrayList<>();
    final List<Transcript.Segment> segments = new ArrayList<>();
    final List<Transcript.Word> words = new ArrayList<>();
    final List<Double> windows = new ArrayList<>();
    final List<String> fallbacks = new ArrayList<>();
    /** Seconds in which nobody speaks. */
    double skipped;

    WhisperRun(WhisperOptions options, Runnable check) {
        this.options = options;
        this.check = check;
        language = options.language;
    }
}
