package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;

/**
 * Whisper from sound to text: windows, language, fallbacks, segments and words (after whisper/transcribe.py).
 *
 * The encoder's window is as long as the sound needs, not always 30 s; if what comes out looks wrong, the window is
 * encoded again at 30 s before any other fallback. Windows of digital silence are not decoded.
 */
public final class WhisperTranscriber implements TaskLoop {
    private static final int RATE = WhisperRecognizer.RATE;
    private static final int WINDOW = WhisperRecognizer.WINDOW;
    /** Shorter sounds hold no word (seconds). */
    private static final double SHORTEST = 0.1;
    /** Seconds behind the last word of a window that ends with speech: if there are more, words are missing. */
    private static final double LEFT_OUT = 1.5;
    /** Seconds at which no token of the text looks: if there are more, and somebody speaks, words are missing. */
    private static final double UNREAD = 2.5;
    /** Samples that the detector of speech reads at once. */
    private static final int BLOCK = 160000;

    private final Map<String, Graph> parts;
    private final Description description;
    private final WhisperTokens tokens;
    private final WhisperRecognizer recognizer;

    /** @param parts "frontend", "encoder", "decoder"; "detector" in newer bundles. */
    public WhisperTranscriber(Map<String, Graph> parts, Description description) {
        this.parts = parts;
        this.description = description;
        tokens = new WhisperTokens(Json.object(description.facts.get("tokens")), description.vocabulary);
        recognizer = new WhisperRecognizer(parts, description, tokens);
    }

    /** Codes of the languages that it knows, such as "en". Empty for a model of a single language. */
    public List<String> languages() {
        return new ArrayList<>(tokens.languages.keySet());
    }

    /**
     * The text of a sound at 16 kHz.
     *
     * @throws IllegalArgumentException shorter than 0.1 s, values that are not numbers, an unknown language, words of a
     *     bundle that cannot tell their times, speech alone of a bundle without a detector.
     */
    public Transcript transcribe(Samples sound, WhisperOptions options, Watch watch) {
        check(options);
        if (sound.length() < SHORTEST * RATE) {
            throw new IllegalArgumentException("the audio is too short to hold a word: at least " + SHORTEST + " s");
        }
        boolean detector = parts.containsKey("detector");
        Work work = new Work(sound, options, watch);
        if (options.vad == null ? detector && sound.length() > WINDOW : options.vad) {
            work.speech();
        } else {
            work.windows();
        }
        return new Transcript(WhisperTokens.stripped(tokens.text(work.run.text)), work.run);
    }

    /**
     * A stream of sound at 16 kHz, with a detector of speech of its own where the bundle has one, unless `vad` is false.
     *
     * @param options times of segments do not count.
     * @throws IllegalArgumentException an unknown language, a bundle that cannot tell the times of words, speech alone of
     *     a bundle without a detector.
     */
    public WhisperStream stream(WhisperOptions options) {
        return stream(options, WhisperStream.CLOCK);
    }

    /** The same with a clock, which tells seconds from any moment on: by it a device that is too slow is known. */
    public WhisperStream stream(WhisperOptions options, DoubleSupplier clock) {
        check(options.words(true));
        boolean detector = parts.containsKey("detector") && !Boolean.FALSE.equals(options.vad);
        return new WhisperStream(recognizer, options, detector ? listener() : null, clock);
    }

    /** Throws IllegalArgumentException for what this bundle cannot do. */
    private void check(WhisperOptions options) {
        if (options.language != null && !tokens.languages.containsKey(options.language)) {
            throw new IllegalArgumentException("the language " + options.language + " is not among this model's");
        }
        if (options.words && !WhisperHypotheses.aligns(description)) {
            throw new IllegalArgumentException("this bundle cannot tell the times of words; export it again");
        }
        if (Boolean.TRUE.equals(options.vad) && !parts.containsKey("detector")) {
            throw new IllegalArgumentException("this bundle has no detector of speech; export it again");
        }
    }

    private SpeechListener listener() {
        Map<String, Object> facts = Json.object(description.facts.get("detector"));
        return new SpeechListener(parts.get("detector"), description.part("detector"), facts);
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        WhisperOptions options = WhisperOptions.DEFAULT.vad(parts.containsKey("detector") ? Boolean.TRUE : null);
        return transcribe(Samples.of(golden.get("audio").floats()), options, watch).text;
    }

    /** The way through one sound. */
    private final class Work implements Runnable {
        private final Samples sound;
        private final Watch watch;
        private final WhisperRun run;
        private long at;
        /** Speech goes on to the end of windows: of stretches of speech, and of what was read again with times. */
        private boolean ended;

        Work(Samples sound, WhisperOptions options, Watch watch) {
            this.sound = sound;
            this.watch = watch;
            run = new WhisperRun(options, this);
        }

        /** Between two runs of the network. */
        @Override
        public void run() {
            watch.at(at / (double) RATE, sound.length() / (double) RATE);
        }

        /** Slides over the sound. */
        void windows() {
            while (sound.length() - at >= SHORTEST * RATE) {
                float[] samples = sound.window(at, WINDOW);
                if (WhisperSigns.silent(samples)) {
                    at += samples.length;
                } else {
                    // A sound longer than a window needs timestamps: they say where the next window starts.
                    boolean timestamps = run.options.timestamps || at > 0 || sound.length() > WINDOW;
                    at += one(samples, timestamps, false);
                }
                run();
            }
        }

        /** Transcribes where somebody speaks. */
        void speech() {
            // Of a long sound: times tell which words the network left out, if nothing else does.
            boolean timed = run.options.timestamps || (sound.length() > WINDOW && !WhisperHypotheses.aligns(description));
            double spoken = 0;
            for (double[] span : WhisperCuts.packed(spans(sound))) {
                at = (long) Math.rint(span[0] * RATE);
                long last = (long) Math.rint(span[1] * RATE);
                while (last - at >= SHORTEST * RATE) {
                    float[] samples = sound.window(at, (int) Math.min(last - at, WINDOW));
                    // What lies behind the last word of the window is a pause.
                    at += one(samples, timed, true);
                }
                spoken += span[1] - span[0];
                run();
            }
            double silent = sound.length() / (double) RATE - spoken;
            run.skipped = silent >= 1 ? silent : 0;
        }

        /** By how many samples to advance: where it gives times the network often stops early, as if a window followed. */
        private int reached(int samples) {
            int count = run.segments.size();
            long end = count == 0 ? 0 : (long) Math.rint(run.segments.get(count - 1).end * RATE) - at;
            return end > 0 && samples - end >= LEFT_OUT * RATE ? (int) end : samples;
        }

        private List<double[]> spans(Samples samples) {
            List<Double> heard = new ArrayList<>();
            try (SpeechListener listener = listener()) {
                for (long from = 0; from < samples.length(); from += BLOCK) {
                    heard.addAll(listener.push(samples.window(from, BLOCK), this));
                }
                heard.addAll(listener.finish(this));
                return SpeechSpans.of(heard, WhisperCuts.RULES, listener.hop, samples.length());
            }
        }

        /** One window; read again with times if its text passes over speech, as it may where speakers change. */
        private WhisperRecognizer.Recognized complete(float[] samples, boolean timestamps) {
            WhisperRecognizer.Recognized recognized = recognizer.recognize(samples, run, timestamps), again = null;
            if (recognized.timed || recognized.silent() || !parts.containsKey("detector")) {
                return recognized;
            }
            try {
                double[] gap = recognized.gap(samples.length);
                int begin = (int) Math.rint(gap[0] * RATE), end = (int) Math.rint(gap[1] * RATE);
                if (gap[1] - gap[0] <= UNREAD || !spoken(samples, begin, end)) {
                    return recognized;
                }
                double seconds = Numbers.round(gap[1] - gap[0], 1);
                run.fallbacks.add("no words for " + seconds + " s of speech: read again with times");
                again = recognizer.again(recognized, samples, run);
                double[] left = again.gap(samples.length);
                boolean better = left[1] - left[0] <= Math.max(UNREAD, (gap[1] - gap[0]) / 2);
                (better ? recognized : again).close();
                return better ? again : recognized;
            } catch (RuntimeException exception) {
                recognized.close();
                if (again != null) {
                    again.close();
                }
                throw exception;
            }
        }

        /** Whether somebody speaks in half of a stretch of samples. */
        private boolean spoken(float[] samples, int begin, int end) {
            double seconds = 0;
            Samples stretch = Samples.of(Arrays.copyOfRange(samples, begin, end));
            for (double[] span : parts.containsKey("detector") ? spans(stretch) : new ArrayList<double[]>()) {
                seconds += span[1] - span[0];
            }
            return 2 * seconds * RATE >= end - begin;
        }

        /**
         * Decodes one window; returns by how many samples to advance.
         *
         * @param whole the window ends in a pause: its last words are no beginning of what the next window holds.
         */
        private int one(float[] samples, boolean timestamps, boolean whole) {
            try (WhisperRecognizer.Recognized recognized = complete(samples, timestamps)) {
                if (recognized.silent()) {
                    return samples.length;
                }
                int before = run.text.size(), advance = samples.length;
                ended |= whole || (recognized.timed && !timestamps);
                if (recognized.timed) {
                    advance = cut(recognized.result.tokens, samples.length, ended);
                } else {
                    run.text.addAll(recognized.result.tokens);
                    if (whole) {
                        add(recognized.result.tokens, samples.length);
                    }
                }
                if (run.options.words) {
                    List<Integer> kept = run.text.subList(before, run.text.size());
                    words(recognized.words(kept, Arrays.copyOf(samples, advance), run));
                }
                // A text may stop early ("Chapter 31"): what somebody says behind it is read next.
                int end = recognized.timed ? reached(advance) : advance;
                return ended || (end < advance && spoken(samples, end, advance)) ? end : advance;
            }
        }

        private void words(List<Transcript.Word> words) {
            double from = at / (double) RATE;
            for (Transcript.Word word : words) {
                run.words.add(word.told(from));
            }
        }

        /** Cuts at pairs of timestamps; returns by how many samples to advance. */
        private int cut(List<Integer> ids, int samples, boolean whole) {
            double seconds = samples / (double) RATE;
            List<Integer> cuts = new ArrayList<>();
            for (int i = 0; i + 1 < ids.size(); i++) {
                if (isStamp(ids.get(i)) && isStamp(ids.get(i + 1))) {
                    cuts.add(i + 1);
                }
            }
            int count = ids.size();
            boolean closed = whole || (count >= 2 && !isStamp(ids.get(count - 2)) && isStamp(ids.get(count - 1)));
            if (cuts.isEmpty()) {
                int last = -1;
                for (int token : ids) {
                    last = isStamp(token) ? token : last;
                }
                add(ids, 0.0, last > tokens.firstTimestamp ? seconds(last) : seconds, seconds);
                return samples;
            }
            if (closed) {
                cuts.add(count);
            }
            int begin = 0;
            for (int end : cuts) {
                List<Integer> piece = ids.subList(begin, end);
                add(piece, seconds(piece.get(0)), endOf(piece, seconds), seconds);
                begin = end;
            }
            if (closed) {
                return samples;
            }
            int advance = Math.min((int) Math.rint(seconds(ids.get(begin - 1)) * RATE), samples);
            return advance == 0 ? samples : advance;
        }

        private double endOf(List<Integer> piece, double seconds) {
            int last = piece.get(piece.size() - 1);
            return isStamp(last) ? seconds(last) : seconds;
        }

        /** Appends a window that ends in a pause as a segment. */
        private void add(List<Integer> ids, int samples) {
            String said = WhisperTokens.stripped(tokens.text(ids));
            if (!said.isEmpty()) {
                double begin = Numbers.round(at / (double) RATE, 2), end = Numbers.round((at + samples) / (double) RATE, 2);
                run.segments.add(new Transcript.Segment(begin, end, said));
            }
        }

        /** Appends a segment of a window, which may not pass the end of the sound. */
        private void add(List<Integer> ids, double start, double end, double last) {
            String said = WhisperTokens.stripped(tokens.text(ids));
            if (said.isEmpty() || end <= start) {
                return;
            }
            double from = at / (double) RATE;
            double begin = Numbers.round(from + Math.min(start, last), 2);
            run.segments.add(new Transcript.Segment(begin, Numbers.round(from + Math.min(end, last), 2), said));
            for (int token : ids) {
                if (token < tokens.endOfText) {
                    run.text.add(token);
                }
            }
        }
    }

    private boolean isStamp(int token) {
        return token >= tokens.firstTimestamp;
    }

    private double seconds(int stamp) {
        return (stamp - tokens.firstTimestamp) * tokens.secondsPerTimestamp;
    }
}
