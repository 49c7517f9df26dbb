package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A window of sound to tokens: the encoder, the prompt, and what is tried again where the result looks wrong. */
final class WhisperRecognizer {
    static final int RATE = 16000;
    static final int WINDOW = 30 * RATE;
    private static final int HOP = 160;

    private static final double[] TEMPERATURES = {0.0, 0.2, 0.4, 0.6, 0.8, 1.0};
    private static final int BEST_OF = 5;
    private static final double NO_SPEECH = 0.6;
    private static final double LOGPROB = -1.0;

    private final Map<String, Graph> parts;
    private final Description description;
    private final WhisperTokens tokens;
    private final Map<String, Object> window;
    private final int context;

    WhisperRecognizer(Map<String, Graph> parts, Description description, WhisperTokens tokens) {
        this.parts = parts;
        this.description = description;
        this.tokens = tokens;
        window = Json.object(description.facts.get("window"));
        context = Json.integer(description.facts.get("text_context"));
    }

    /** The tokens of a window, and the state from which they came, which stays in the runtime until this is closed. */
    final class Recognized implements AutoCloseable {
        final WhisperDecoding.Result result;
        /** Why the result looks wrong, after all that was tried; empty if it does not. */
        final String doubt;
        /** Whether there are times among the tokens. */
        final boolean timed;

        private final Attempt attempt;

        Recognized(WhisperDecoding.Result result, String doubt, Attempt attempt) {
            this.result = result;
            this.doubt = doubt;
            this.attempt = attempt;
            timed = attempt.timed;
        }

        /** Whether the network says that nobody speaks, and is not sure of the words that it gave all the same. */
        boolean silent() {
            return WhisperRecognizer.silent(result);
        }

        /**
         * The times of words, counted from the start of the window.
         *
         * @param text those tokens of the window that are kept. samples: the sound that they cover.
         */
        List<Transcript.Word> words(List<Integer> text, float[] samples, WhisperRun run) {
            WhisperWords words = new WhisperWords(tokens, description, attempt.encoded.cross);
            return words.aligned(attempt.begun.hypotheses, start(run, false), text, samples, run.language);
        }

        /**
         * The longest stretch of the sound at which no token of the text looks: its begin and end, in seconds; zeros if
         * nothing tells. Where the text has times, the sound ends with the last: what follows is another window's.
         */
        double[] gap(int samples) {
            if (result.queries.isEmpty()) {
                return new double[2];
            }
            double seconds = samples / (double) RATE;
            int count = result.tokens.size(), last = count == 0 ? 0 : result.tokens.get(count - 1);
            if (last > tokens.firstTimestamp) {
                seconds = Math.min(seconds, (last - tokens.firstTimestamp) * tokens.secondsPerTimestamp);
            }
            return new WhisperWords(tokens, description, attempt.encoded.cross).gap(result.queries, seconds);
        }

        @Override
        public void close() {
            attempt.close();
        }
    }

    /** One window with fallbacks: a longer encoder window first, then rising temperatures. */
    Recognized recognize(float[] samples, WhisperRun run, boolean timestamps) {
        double wanted = wanted(samples.length / (double) RATE, run);
        return settled(new Attempt(encoded(samples, wanted, run), samples, run, timestamps), samples, run);
    }

    /** A window once more, with times among the tokens: from what the encoder gave for it. */
    Recognized again(Recognized recognized, float[] samples, WhisperRun run) {
        return settled(new Attempt(recognized.attempt.encoded.shared(), samples, run, true), samples, run);
    }

    /** The result of a window, after all that is tried where it looks wrong. */
    private Recognized settled(Attempt attempt, float[] samples, WhisperRun run) {
        boolean again = run.window == 0, longer = again && attempt.encoded.seconds < 30;
        try {
            WhisperDecoding.Result result = attempt.at(0);
            String why = suspicious(result);
            if (longer && why.isEmpty() && !attempt.timed && unsure(result)) {
                why = "hardly probable";
            } else if (longer && why.isEmpty()) {
                why = WhisperSigns.echoes(result.tokens) ? "ends with an echo" : "";
            }
            if (longer && !why.isEmpty()) {
                run.fallbacks.add(why + ": encoded again at 30 s");
                attempt.close();
                attempt = new Attempt(encoded(samples, 30.0, run), samples, run, attempt.timed);
                result = attempt.at(0);
                why = suspicious(result);
            }
            for (int i = 1; again && i < TEMPERATURES.length && !why.isEmpty(); i++) {
                run.fallbacks.add(why + ": sampled again at temperature " + Numbers.digits(TEMPERATURES[i], 6));
                result = attempt.at(i);
                why = suspicious(result);
            }
            return new Recognized(result, why, attempt);
        } catch (RuntimeException exception) {
            attempt.close();
            throw exception;
        }
    }

    /** What the encoder gave for a window. It stays in the runtime until all that read it are closed. */
    private static final class Encoded implements AutoCloseable {
        final Map<String, Tensor> cross;
        final double seconds;
        private int readers = 1;

        Encoded(Map<String, Tensor> cross, double seconds) {
            this.cross = cross;
            this.seconds = seconds;
        }

        /** For another that reads it, and closes it too. */
        Encoded shared() {
            readers++;
            return this;
        }

        @Override
        public void close() {
            readers--;
            if (readers == 0) {
                Tensor.closeAll(cross);
            }
        }
    }

    /** A window whose prompt has been fed. It closes `encoded`. */
    private final class Attempt implements AutoCloseable {
        private final Encoded encoded;
        private final WhisperDecoding.Begun begun;
        private final WhisperRules rules;
        private final int limit;
        private final Runnable check;
        private final boolean timed;

        Attempt(Encoded encoded, float[] samples, WhisperRun run, boolean timestamps) {
            this.encoded = encoded;
            check = run.check;
            timed = timestamps;
            int[] prompt;
            try {
                check.run();
                prompt = prompt(encoded.cross, run, timestamps);
                check.run();
                begun = begun(prompt);
            } catch (RuntimeException exception) {
                encoded.close();
                throw exception;
            }
            rules = new WhisperRules(tokens, timestamps, encoded.seconds, !run.prefix.isEmpty());
            // Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
            int most = Math.min(run.most, 40 + (int) (15 * (samples.length / (double) RATE)));
            limit = Math.min(Math.min(context / 2, most), context - prompt.length);
        }

        private WhisperDecoding.Begun begun(int[] prompt) {
            WhisperHypotheses hypotheses = new WhisperHypotheses(parts.get("decoder"), description, encoded.cross);
            return new WhisperDecoding.Begun(hypotheses, prompt, tokens);
        }

        WhisperDecoding.Result at(int temperature) {
            return WhisperDecoding.sample(begun, rules, tokens.endOfText, limit, TEMPERATURES[temperature], BEST_OF,
                    temperature, check);
        }

        @Override
        public void close() {
            begun.close();
            encoded.close();
        }
    }

    private Encoded encoded(float[] samples, double seconds, WhisperRun run) {
        run.windows.add(Numbers.round(seconds, 2));
        run.check.run();
        int length = Math.min(Math.max((int) Math.rint(seconds * RATE / (2 * HOP)) * 2 * HOP, 4 * HOP), WINDOW);
        Map<String, Tensor> feeds = new HashMap<>();
        feeds.put("audio", Tensor.of(Arrays.copyOf(samples, length), 1, length));
        Map<String, Tensor> mel = parts.get("frontend").run(feeds);
        try {
            Map<String, Tensor> cross = parts.get("encoder").run(Collections.singletonMap("mel", mel.get("mel")));
            return new Encoded(cross, length / (double) RATE);
        } finally {
            Tensor.closeAll(mel);
        }
    }

    private int[] prompt(Map<String, Tensor> cross, WhisperRun run, boolean timestamps) {
        if (run.language == null && !tokens.languages.isEmpty()) {
            run.language = detected(cross);
        }
        int[] start = start(run, timestamps), prefix = Numbers.array(run.prefix);
        int[] prompt = Arrays.copyOf(start, start.length + prefix.length);
        System.arraycopy(prefix, 0, prompt, start.length, prefix.length);
        return prompt;
    }

    /** The prompt without the prefix of a text. */
    private int[] start(WhisperRun run, boolean timestamps) {
        List<Integer> prompt = new ArrayList<>(Collections.singletonList(tokens.startOfTranscript));
        if (!tokens.languages.isEmpty()) {
            prompt.add(tokens.languages.get(run.language));
            prompt.add(tokens.named(run.options.translate ? "translate" : "transcribe"));
        }
        if (!timestamps) {
            prompt.add(tokens.noTimestamps);
        }
        return Numbers.array(prompt);
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

    /** Seconds that the encoder gets of a sound. */
    private double wanted(double seconds, WhisperRun run) {
        if (run.window > 0) {
            // Whole seconds: some formats hold windows of these lengths alone.
            return Math.max(run.window, Math.min(Math.ceil(seconds), 30.0));
        }
        double step = Json.number(window.get("step"));
        double wanted = Math.max(Json.number(window.get("least")), seconds + Json.number(window.get("margin")));
        return Math.min(Math.ceil(wanted / step) * step, 30.0);
    }

    private static boolean silent(WhisperDecoding.Result result) {
        return result.noSpeech > NO_SPEECH && result.averageLogprob <= LOGPROB;
    }

    /**
     * Whether the text of a short window is read again with the whole one, which costs less than a wrong text. Not so a
     * text with times: these are less probable than words, and it often stands for a text that lacked words.
     */
    private boolean unsure(WhisperDecoding.Result result) {
        double sure = window.containsKey("sure") ? Json.number(window.get("sure")) : 1.0;
        return result.averageLogprob > LOGPROB && result.averageLogprob < sure * LOGPROB;
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
}
