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

    /** A word of it, with the marks that belong to it. Times are seconds from the start of the sound. */
    public static final class Word {
        public final String word;
        public final double start;
        public final double end;
        /** The mean over its tokens. */
        public final double probability;

        final List<Integer> tokens;

        Word(String word, double start, double end, double probability, List<Integer> tokens) {
            this.word = word;
            this.start = start;
            this.end = end;
            this.probability = probability;
            this.tokens = tokens;
        }

        /** The same at other times. */
        Word at(double from, double to) {
            return new Word(word, from, to, probability, tokens);
        }

        /** Without space around it, and its times from `begin` on, in whole milliseconds. */
        Word told(double begin) {
            double from = Numbers.round(begin + start, 3), to = Numbers.round(begin + end, 3);
            return new Word(WhisperTokens.stripped(word), from, to, probability, tokens);
        }
    }

    public final String text;
    /** The code of the language, set or detected; null for a model of a single language. */
    public final String language;
    /** Empty unless timestamps were asked for or the sound is longer than 30 s. */
    public final List<Segment> segments;
    /** Empty unless they were asked for. */
    public final List<Word> words;
    /** Seconds of the encoder's window, for each time that it ran. */
    public final List<Double> windows;
    /** What was tried again, and why. */
    public final List<String> fallbacks;
    /** Seconds that were left out, since the detector of speech heard none; 0 where it did not listen. */
    public final double skipped;

    Transcript(String text, WhisperRun run) {
        this.text = text;
        language = run.language;
        segments = Collections.unmodifiableList(run.segments);
        words = Collections.unmodifiableList(run.words);
        windows = Collections.unmodifiableList(run.windows);
        fallbacks = Collections.unmodifiableList(run.fallbacks);
        skipped = run.skipped;
    }
}
