package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/**
 * From probabilities of speech, one for each frame, to spans of speech (after Silero VAD's get_speech_timestamps), and from
 * these to windows. Looser than the detector's own rules: a word that is lost weighs more than a pause that is kept.
 */
final class SpeechSpans {
    private static final int RATE = 16000;
    /** Speech begins at the first probability, and ends below the second. */
    private static final double THRESHOLD = 0.5;

    private static final double RELEASE = THRESHOLD - 0.15;
    /** Samples: the shortest speech, the pause that ends a span, what is added at both sides, a pause to cut in. */
    private static final double SHORTEST = 0.1 * RATE;

    private static final double PAUSE = 0.5 * RATE;
    private static final int PADDING = RATE / 4;
    private static final double CUT = 0.098 * RATE;
    /** Seconds: the longest span; of a window at most, and of a pause in one at most. */
    private static final double LONGEST = 28.0;

    private static final double WINDOW = 29.5;
    private static final double PAUSE_WITHIN = 2.0;

    private final double longest;
    private final List<long[]> spans = new ArrayList<>();
    /** Earlier pauses of the span that is being heard: start and length. */
    private final List<long[]> pauses = new ArrayList<>();
    /** Where the span began, and its present pause; -1: there is none. */
    private long start = -1;

    private long quiet = -1;

    private SpeechSpans(int hop) {
        longest = RATE * LONGEST - hop - 2 * PADDING;
    }

    /** Start and end of each span in seconds, in order, none overlapping. */
    static List<double[]> of(List<Double> probabilities, int hop, long size) {
        SpeechSpans speech = new SpeechSpans(hop);
        for (int i = 0; i < probabilities.size(); i++) {
            speech.hear(probabilities.get(i), i * (long) hop);
        }
        if (speech.start >= 0 && size - speech.start > SHORTEST) {
            speech.spans.add(new long[] {speech.start, size});
        }
        pad(speech.spans, size);
        List<double[]> seconds = new ArrayList<>();
        for (long[] span : speech.spans) {
            seconds.add(new double[] {span[0] / (double) RATE, span[1] / (double) RATE});
        }
        return seconds;
    }

    /** The windows to transcribe: as many spans together as fit, unless a long pause parts them. */
    static List<double[]> packed(List<double[]> spans) {
        List<double[]> windows = new ArrayList<>();
        for (double[] span : spans) {
            double[] last = windows.isEmpty() ? null : windows.get(windows.size() - 1);
            if (last != null && span[1] - last[0] <= WINDOW && span[0] - last[1] <= PAUSE_WITHIN) {
                last[1] = span[1];
            } else {
                windows.add(span.clone());
            }
        }
        return windows;
    }

    private void begin(long at) {
        start = at;
        quiet = -1;
        pauses.clear();
    }

    private void hear(double probability, long at) {
        if (probability >= THRESHOLD) {
            if (quiet >= 0 && at - quiet > CUT) {
                pauses.add(new long[] {quiet, at - quiet});
            }
            quiet = -1;
            if (start < 0) {
                begin(at);
                return;
            }
        }
        if (start >= 0 && at - start > longest) {
            cut(at);
        }
        if (start >= 0 && probability < RELEASE) {
            quiet = quiet < 0 ? at : quiet;
            if (at - quiet >= PAUSE) {
                if (quiet - start > SHORTEST) {
                    spans.add(new long[] {start, quiet});
                }
                begin(-1);
            }
        }
    }

    /** Ends a span that is too long: in its longest pause, behind which the next one begins, else at once. */
    private void cut(long at) {
        long[] most = null;
        for (long[] pause : pauses) {
            most = most == null || pause[1] > most[1] ? pause : most;
        }
        spans.add(new long[] {start, most == null ? at : most[0]});
        begin(most == null ? -1 : most[0] + most[1]);
    }

    /** Widens spans, in place; two that would meet share the pause between them. */
    private static void pad(List<long[]> spans, long size) {
        for (int i = 0; i < spans.size(); i++) {
            long[] span = spans.get(i);
            if (i == 0) {
                span[0] = Math.max(0, span[0] - PADDING);
            }
            if (i == spans.size() - 1) {
                span[1] = Math.min(size, span[1] + PADDING);
                continue;
            }
            long[] following = spans.get(i + 1);
            long pause = following[0] - span[1], half = pause < 2 * PADDING ? Math.floorDiv(pause, 2) : PADDING;
            span[1] = Math.min(size, span[1] + half);
            following[0] = Math.max(0, following[0] - half);
        }
    }
}
