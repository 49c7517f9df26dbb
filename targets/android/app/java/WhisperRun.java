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

    /** Tokens that a window's text begins with, whatever the network says; they are not in its answer. */
    List<Integer> prefix = new ArrayList<>();
    /** Tokens of an answer at most, beside what anybody can speak in its sound. */
    int most = Integer.MAX_VALUE;
    /** Seconds that the encoder gets at least, and nothing is tried again; 0: by the length of the sound, with fallbacks. */
    double window;

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
