package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** Whisper's decoding of one window: greedy, or the best of several samples. */
final class WhisperDecoding {
    /** One decoded window: the sampled tokens without prompt and end of text. */
    static final class Result {
        final List<Integer> tokens;
        /** Per token, end of text included. */
        final double averageLogprob;
        final double noSpeech;
        final double temperature;
        /** False where the length limit cut it off. */
        final boolean complete;
        /** The alignment queries from which each token and the end of the text came; empty where there are none. */
        final List<float[]> queries = new ArrayList<>();

        Result(List<Integer> tokens, double averageLogprob, double noSpeech, double temperature, boolean complete) {
            this.tokens = tokens;
            this.averageLogprob = averageLogprob;
            this.noSpeech = noSpeech;
            this.temperature = temperature;
            this.complete = complete;
        }
    }

    /** A prompt that has been fed: its hypothesis, the logits after it, and the probability of no speech. */
    static final class Begun implements AutoCloseable {
        final WhisperHypotheses hypotheses;
        final float[] logits;
        final double noSpeech;

        /** Closes the hypotheses when it is closed. */
        Begun(WhisperHypotheses hypotheses, int[] prompt, WhisperTokens tokens) {
            this.hypotheses = hypotheses;
            int sot = 0;
            while (prompt[sot] != tokens.startOfTranscript) {
                sot++;
            }
            float[][] rows = hypotheses.step(new int[][] {prompt}, new int[] {sot, prompt.length - 1})[0];
            noSpeech = Math.exp(logprob(rows[0], tokens.noSpeech));
            logits = rows[1];
        }

        @Override
        public void close() {
            hypotheses.close();
        }
    }

    private WhisperDecoding() {}

    /**
     * Greedy at temperature 0, else the most probable of {@code count} samples.
     *
     * @param limit most tokens to sample.
     * @param seed of the sampling, so that a second run gives the same text.
     */
    static Result sample(
            Begun begun, WhisperRules rules, int end, int limit, double temperature, int count, int seed, Runnable check) {
        Pcg64 random = new Pcg64(seed);
        int many = temperature > 0 ? count : 1;
        List<List<Integer>> tokens = new ArrayList<>();
        float[][] logits = new float[many][];
        for (int i = 0; i < many; i++) {
            tokens.add(new ArrayList<Integer>());
            logits[i] = begun.logits;
        }
        double[] scores = new double[many];
        boolean[] done = new boolean[many];
        List<float[]> queries = new ArrayList<>();
        try (WhisperHypotheses hypotheses = begun.hypotheses.copy()) {
            hypotheses.repeat(many);
            for (int step = 0; step < limit; step++) {
                check.run();
                if (many == 1 && hypotheses.queries() != null) {
                    queries.add(hypotheses.queries());
                }
                List<Integer> chosen = new ArrayList<>();
                for (int i = 0; i < many; i++) {
                    float[] ruled = rules.apply(logits[i], tokens.get(i));
                    int token = Numbers.argmax(temperature > 0 ? noisy(ruled, (float) temperature, random) : ruled);
                    chosen.add(token);
                    if (!done[i]) {
                        scores[i] += logprob(ruled, token);
                        done[i] = token == end;
                        if (!done[i]) {
                            tokens.get(i).add(token);
                        }
                    }
                }
                if (all(done)) {
                    break;
                }
                float[][][] next = hypotheses.step(WhisperHypotheses.column(chosen), new int[] {0});
                for (int i = 0; i < many; i++) {
                    logits[i] = next[i][0];
                }
            }
        }
        Result best = best(tokens, scores, done, begun.noSpeech, temperature);
        best.queries.addAll(queries);
        return best;
    }

    /** As in the original, the choice is by length without the end of text, the report by length with it. */
    private static Result best(
            List<List<Integer>> tokens, double[] scores, boolean[] done, double noSpeech, double temperature) {
        int best = 0;
        for (int i = 1; i < scores.length; i++) {
            if (scores[i] / Math.max(tokens.get(i).size(), 1) > scores[best] / Math.max(tokens.get(best).size(), 1)) {
                best = i;
            }
        }
        double average = scores[best] / (tokens.get(best).size() + 1);
        return new Result(tokens.get(best), average, noSpeech, temperature, done[best]);
    }

    private static float[] noisy(float[] ruled, float temperature, Pcg64 random) {
        float[] noisy = new float[ruled.length];
        for (int i = 0; i < noisy.length; i++) {
            noisy[i] = ruled[i] / temperature + (float) random.gumbel();
        }
        return noisy;
    }

    private static boolean all(boolean[] done) {
        for (boolean ended : done) {
            if (!ended) {
                return false;
            }
        }
        return true;
    }

    /** The logarithm of a token's probability. */
    static double logprob(float[] logits, int token) {
        float top = logits[Numbers.argmax(logits)];
        double sum = 0;
        for (float value : logits) {
            sum += Math.exp(value - top);
        }
        return logits[token] - top - Math.log(sum);
    }
}
