package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** From probabilities of speech, one for each frame, to spans of speech (after Silero VAD's get_speech_timestamps). */
final class SpeechSpans {
    private static final int RATE = 16000;

    private final SpeechRules rules;
    private final double longest;
    private final List<long[]> spans = new ArrayList<>();
    /** Earlier pauses of the span that is being heard: start and length. */
    private final List<long[]> pauses = new ArrayList<>();
    /** Where the span began, and its present pause; -1: there is none. */
    private long start = -1;

    private long quiet = -1;

    private SpeechSpans(SpeechRules rules, int hop) {
        this.rules = rules;
        longest = RATE * rules.longest - hop - 2 * RATE * rules.padding;
    }

    /** Start and end of each span in seconds, in order, none overlapping. */
    static List<double[]> of(List<Double> probabilities, SpeechRules rules, int hop, long size) {
        SpeechSpans speech = new SpeechSpans(rules, hop);
        for (int i = 0; i < probabilities.size(); i++) {
            speech.hear(probabilities.get(i), i * (long) hop);
        }
        if (speech.start >= 0 && size - speech.start > RATE * rules.shortest) {
            speech.spans.add(new long[] {speech.start, size});
        }
        speech.pad(size);
        List<double[]> seconds = new ArrayList<>();
        for (long[] span : speech.spans) {
            seconds.add(new double[] {span[0] / (double) RATE, span[1] / (double) RATE});
        }
        return seconds;
    }

    private void begin(long at) {
        start = at;
        quiet = -1;
        pauses.clear();
    }

    private void hear(double probability, long at) {
        if (probability >= rules.threshold) {
            if (quiet >= 0 && at - quiet > RATE * rules.cut) {
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
        if (start >= 0 && probability < rules.release) {
            quiet = quiet < 0 ? at : quiet;
            if (at - quiet >= RATE * rules.pause) {
                if (quiet - start > RATE * rules.shortest) {
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
    private void pad(long size) {
        double padding = RATE * rules.padding;
        long whole = (long) padding;
        for (int i = 0; i < spans.size(); i++) {
            long[] span = spans.get(i);
            if (i == 0) {
                span[0] = Math.max(0, span[0] - whole);
            }
            if (i == spans.size() - 1) {
                span[1] = Math.min(size, span[1] + whole);
                continue;
            }
            long[] following = spans.get(i + 1);
            long pause = following[0] - span[1], half = pause < 2 * padding ? Math.floorDiv(pause, 2) : whole;
            span[1] = Math.min(size, span[1] + half);
            following[0] = Math.max(0, following[0] - half);
        }
    }
}
