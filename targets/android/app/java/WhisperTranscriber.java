package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Whisper from sound to text: windows, language, fallbacks and segments (after whisper/transcribe.py).
 *
 * The encoder's window is as long as the sound needs, not always 30 s; if what comes out looks wrong, the window is
 * encoded again at 30 s before any other fallback. Windows of digital silence are not decoded.
 */
public final class WhisperTranscriber {
    private static final int RATE = 16000;
    private static final int HOP = 160;
    private static final int WINDOW = 30 * RATE;
    /** Shorter sounds hold no word (seconds). */
    private static final double SHORTEST = 0.1;
    /** A sound that never exceeds this amplitude (-70 dB of full scale) is silence. */
    private static final double SILENCE = Math.pow(10, -70 / 20.0);

    private static final double[] TEMPERATURES = {0.0, 0.2, 0.4, 0.6, 0.8, 1.0};
    private static final int BEST_OF = 5;
    private static final double NO_SPEECH = 0.6;
    private static final double LOGPROB = -1.0;

    private final Map<String, Graph> parts;
    private final Description description;
    private final WhisperTokens tokens;
    private final Map<String, Object> window;
    private final int context;

    /** @param parts "frontend", "encoder" and "decoder". vocabulary: the file vocabulary.bin. */
    public WhisperTranscriber(Map<String, Graph> parts, Description description, byte[] vocabulary) {
        this.parts = parts;
        this.description = description;
        tokens = new WhisperTokens(Json.object(description.facts.get("tokens")), vocabulary);
        window = Json.object(description.facts.get("window"));
        context = Json.integer(description.facts.get("text_context"));
    }

    /** Codes of the languages that it knows, such as "en". Empty for a model of a single language. */
    public List<String> languages() {
        return new ArrayList<>(tokens.languages.keySet());
    }

    /**
     * The text of a sound at 16 kHz.
     *
     * @param language a code of languages(), or null: it is detected.
     * @param translate to English instead of transcribing.
     * @param timestamps give segments with times; always so beyond 30 s, where they carry the windows forward.
     * @throws IllegalArgumentException shorter than 0.1 s, values that are not numbers, an unknown language.
     */
    public Transcript transcribe(Samples sound, String language, boolean translate, boolean timestamps, Watch watch) {
        if (language != null && !tokens.languages.containsKey(language)) {
            throw new IllegalArgumentException("the language " + language + " is not among this model's");
        }
        if (sound.length() < SHORTEST * RATE) {
            throw new IllegalArgumentException("the audio is too short to hold a word: at least " + SHORTEST + " s");
        }
        Run run = new Run(sound, language, translate, watch);
        long at = 0;
        while (sound.length() - at >= SHORTEST * RATE) {
            float[] samples = sound.window(at, WINDOW);
            if (loudest(samples) < SILENCE) {
                at += samples.length;
            } else {
                // A sound longer than a window needs timestamps: they say where the next window starts.
                at += run.one(samples, at, timestamps || at > 0 || sound.length() > WINDOW);
            }
            watch.at(at / (double) RATE, sound.length() / (double) RATE);
        }
        return new Transcript(
                WhisperTokens.stripped(tokens.text(run.text)), run.language, run.segments, run.windows, run.fallbacks);
    }

    private static float loudest(float[] samples) {
        float most = 0;
        for (float value : samples) {
            most = Math.max(most, Math.abs(value));
        }
        return most;
    }

    /** What accumulates over the windows of one sound. */
    private final class Run implements Runnable {
        private final Samples sound;
        private final boolean translate;
        private final Watch watch;
        private String language;
        private long at;
        private final List<Integer> text = new ArrayList<>();
        private final List<Transcript.Segment> segments = new ArrayList<>();
        private final List<Double> windows = new ArrayList<>();
        private final List<String> fallbacks = new ArrayList<>();

        Run(Samples sound, String language, boolean translate, Watch watch) {
            this.sound = sound;
            this.language = language;
            this.translate = translate;
            this.watch = watch;
        }

        /** Decodes one window; returns by how many samples to advance. */
        int one(float[] samples, long at, boolean timestamps) {
            this.at = at;
            WhisperDecoding.Result result = decoded(samples, timestamps);
            if (silent(result)) {
                return samples.length;
            }
            if (timestamps) {
                return cut(result.tokens, samples.length);
            }
            text.addAll(result.tokens);
            return samples.length;
        }

        /** One window with fallbacks: a longer encoder window first, then rising temperatures. */
        private WhisperDecoding.Result decoded(float[] samples, boolean timestamps) {
            double seconds = samples.length / (double) RATE, wanted = windowSeconds(seconds);
            Attempt attempt = new Attempt(samples, wanted, timestamps);
            try {
                WhisperDecoding.Result result = attempt.at(0);
                String why = suspicious(result);
                if (why.isEmpty() && wanted < 30) {
                    why = echoes(result.tokens);
                }
                if (!why.isEmpty() && wanted < 30) {
                    fallbacks.add(why + ": encoded again at 30 s");
                    attempt.close();
                    attempt = new Attempt(samples, 30.0, timestamps);
                    result = attempt.at(0);
                    why = suspicious(result);
                }
                for (int i = 1; i < TEMPERATURES.length && !why.isEmpty(); i++) {
                    fallbacks.add(why + ": sampled again at temperature " + TEMPERATURES[i]);
                    result = attempt.at(i);
                    why = suspicious(result);
                }
                return result;
            } finally {
                attempt.close();
            }
        }

        /** A window that has been encoded and whose prompt has been fed, at one length of the encoder's window. */
        private final class Attempt implements AutoCloseable {
            private final Map<String, Tensor> cross;
            private final WhisperDecoding.Begun begun;
            private final WhisperRules rules;
            private final int limit;

            Attempt(float[] samples, double wanted, boolean timestamps) {
                windows.add(Numbers.round(wanted, 2));
                run();
                int length = Math.min(Math.max((int) Math.rint(wanted * RATE / (2 * HOP)) * 2 * HOP, 4 * HOP), WINDOW);
                cross = encoded(Arrays.copyOf(samples, length));
                int[] prompt;
                try {
                    run();
                    prompt = prompt(cross, timestamps);
                    run();
                    begun = begun(prompt);
                } catch (RuntimeException exception) {
                    Tensor.closeAll(cross);
                    throw exception;
                }
                rules = new WhisperRules(tokens, timestamps, length / (double) RATE);
                // Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
                int most = 40 + (int) (15 * (samples.length / (double) RATE));
                limit = Math.min(Math.min(context / 2, most), context - prompt.length);
            }

            private WhisperDecoding.Begun begun(int[] prompt) {
                WhisperHypotheses hypotheses = new WhisperHypotheses(parts.get("decoder"), description, cross);
                return new WhisperDecoding.Begun(hypotheses, prompt, tokens);
            }

            WhisperDecoding.Result at(int temperature) {
                return WhisperDecoding.sample(begun, rules, tokens.endOfText, limit, TEMPERATURES[temperature], BEST_OF,
                        temperature, Run.this);
            }

            @Override
            public void close() {
                begun.close();
                Tensor.closeAll(cross);
            }
        }

        /** Between two runs of the network. */
        @Override
        public void run() {
            watch.at(at / (double) RATE, sound.length() / (double) RATE);
        }

        private Map<String, Tensor> encoded(float[] samples) {
            Map<String, Tensor> feeds = new HashMap<>();
            feeds.put("audio", Tensor.of(samples, 1, samples.length));
            Map<String, Tensor> mel = parts.get("frontend").run(feeds);
            try {
                return parts.get("encoder").run(Collections.singletonMap("mel", mel.get("mel")));
            } finally {
                Tensor.closeAll(mel);
            }
        }

        private int[] prompt(Map<String, Tensor> cross, boolean timestamps) {
            List<Integer> prompt = new ArrayList<>(Collections.singletonList(tokens.startOfTranscript));
            if (!tokens.languages.isEmpty()) {
                language = language == null ? detected(cross) : language;
                prompt.add(tokens.languages.get(language));
                prompt.add(tokens.named(translate ? "translate" : "transcribe"));
            }
            if (!timestamps) {
                prompt.add(tokens.noTimestamps);
            }
            int[] ids = new int[prompt.size()];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = prompt.get(i);
            }
            return ids;
        }

        private String detected(Map<String, Tensor> cross) {
            float[] logits;
            try (WhisperHypotheses hypothesis = new WhisperHypotheses(parts.get("decoder"), description, cross)) {
                logits = hypothesis.step(new int[][] {{tokens.startOfTranscript}}, new int[] {0})[0][0];
            }
            String best = null;
            for (Map.Entry<String, Integer> entry : tokens.languages.entrySet()) {
                if (best == null || logits[entry.getValue()] > logits[tokens.languages.get(best)]) {
                    best = entry.getKey();
                }
            }
            return best;
        }

        /** Cuts at pairs of timestamps; returns by how many samples to advance. */
        private int cut(List<Integer> ids, int samples) {
            double seconds = samples / (double) RATE;
            List<Integer> cuts = new ArrayList<>();
            for (int i = 0; i + 1 < ids.size(); i++) {
                if (isStamp(ids.get(i)) && isStamp(ids.get(i + 1))) {
                    cuts.add(i + 1);
                }
            }
            int count = ids.size();
            boolean closed = count >= 2 && !isStamp(ids.get(count - 2)) && isStamp(ids.get(count - 1));
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
                add(piece, seconds(piece.get(0)), seconds(piece.get(piece.size() - 1)), seconds);
                begin = end;
            }
            if (closed) {
                return samples;
            }
            int advance = Math.min((int) Math.rint(seconds(ids.get(begin - 1)) * RATE), samples);
            return advance == 0 ? samples : advance;
        }

        /** Appends a segment of a window, which may not pass the end of the sound. */
        private void add(List<Integer> ids, double start, double end, double last) {
            String said = WhisperTokens.stripped(tokens.text(ids));
            if (said.isEmpty() || end <= start) {
                return;
            }
            double from = at / (double) RATE;
            double begin = Numbers.round(from + Math.min(start, last), 2);
            segments.add(new Transcript.Segment(begin, Numbers.round(from + Math.min(end, last), 2), said));
            for (int token : ids) {
                if (token < tokens.endOfText) {
                    text.add(token);
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

    private double windowSeconds(double seconds) {
        double step = Json.number(window.get("step"));
        double wanted = Math.max(Json.number(window.get("least")), seconds + Json.number(window.get("margin")));
        return Math.min(Math.ceil(wanted / step) * step, 30.0);
    }

    private static boolean silent(WhisperDecoding.Result result) {
        return result.noSpeech > NO_SPEECH && result.averageLogprob <= LOGPROB;
    }

    /** Why a result looks wrong (empty if it does not): the original's two signs, and that it never ends. */
    private String suspicious(WhisperDecoding.Result result) {
        if (silent(result)) {
            return "";
        }
        if (WhisperSigns.repetitive(WhisperTokens.stripped(tokens.text(result.tokens)))) {
            return "repetitive";
        }
        if (!result.complete) {
            return "endless";
        }
        return result.averageLogprob < LOGPROB ? "improbable" : "";
    }

    private static String echoes(List<Integer> tokens) {
        return WhisperSigns.echoes(tokens) ? "ends with an echo" : "";
    }
}
