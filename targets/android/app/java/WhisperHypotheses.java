package edgekit.phone.loops;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A growing set of token sequences about one window, with their self-attention caches, which stay in the runtime. */
final class WhisperHypotheses implements AutoCloseable {
    private static final String QUERIES = "alignment_queries";

    private final Graph decoder;
    private final Description description;
    private final Map<String, Tensor> cross;
    private Map<String, Tensor> past;
    private boolean borrowed;
    private float[] queries;

    /** @param cross what the encoder said; not closed here. */
    WhisperHypotheses(Graph decoder, Description description, Map<String, Tensor> cross) {
        this.decoder = decoder;
        this.description = description;
        this.cross = cross;
        past = new HashMap<>();
        // Entries of the caches before the first token, which the decoder does not look at.
        int blanks = description.facts.containsKey("blanks") ? Json.integer(description.facts.get("blanks")) : 0;
        for (Description.Spec spec : description.part("decoder").inputs) {
            if (spec.name.startsWith("past_")) {
                float[] empty = new float[spec.shape[1] * blanks * spec.shape[3]];
                past.put(spec.name, Tensor.of(empty, 1, spec.shape[1], blanks, spec.shape[3]));
            }
        }
    }

    private WhisperHypotheses(WhisperHypotheses other) {
        decoder = other.decoder;
        description = other.description;
        cross = other.cross;
        past = other.past;
        queries = other.queries;
        borrowed = true;
    }

    /** The same state, to continue differently; the original must stay open meanwhile. */
    WhisperHypotheses copy() {
        return new WhisperHypotheses(this);
    }

    /**
     * Appends tokens.
     *
     * @param tokens of every hypothesis, equally many.
     * @param select positions among them whose logits are wanted.
     * @return logits [hypothesis][selected][vocabulary].
     */
    float[][][] step(int[][] tokens, int[] select) {
        Map<String, Tensor> out = fed(tokens, select);
        try {
            queries = out.containsKey(QUERIES) ? newest(out.get(QUERIES)) : null;
            return rows(out.get("logits").floats(), tokens.length, select.length);
        } finally {
            Tensor.closeAll(out);
        }
    }

    /** The alignment queries [heads * size] of the first hypothesis' newest token; null if the decoder gives none. */
    float[] queries() {
        return queries;
    }

    /** Of [heads, hypotheses, tokens, size]. */
    private static float[] newest(Tensor all) {
        int[] shape = all.shape();
        int size = shape[3], each = shape[1] * shape[2] * size;
        float[] values = all.floats(), newest = new float[shape[0] * size];
        for (int head = 0; head < shape[0]; head++) {
            System.arraycopy(values, head * each + (shape[2] - 1) * size, newest, head * size, size);
        }
        return newest;
    }

    /** What the decoder says to a text as a whole. */
    static final class Reading {
        /** [selected][vocabulary]. */
        final float[][] logits;
        /** Of each alignment head and token: [heads * tokens * size], row by row. */
        final float[] queries;

        Reading(float[][] logits, float[] queries) {
            this.logits = logits;
            this.queries = queries;
        }
    }

    /** Reads a text from the beginning of the window, beside what this one holds. */
    Reading read(int[] tokens, int[] select) {
        try (WhisperHypotheses fresh = new WhisperHypotheses(decoder, description, cross)) {
            Map<String, Tensor> out = fresh.fed(new int[][] {tokens}, select);
            try {
                return new Reading(rows(out.get("logits").floats(), 1, select.length)[0], out.get(QUERIES).floats());
            } finally {
                Tensor.closeAll(out);
            }
        }
    }

    /** Whether a bundle's decoder gives what the times of words need. */
    static boolean aligns(Description description) {
        for (Description.Spec spec : description.part("decoder").outputs) {
            if (spec.name.equals(QUERIES)) {
                return true;
            }
        }
        return false;
    }

    /** Runs the decoder and keeps its caches; the other outputs are the caller's to close. */
    private Map<String, Tensor> fed(int[][] tokens, int[] select) {
        Map<String, Tensor> feeds = new HashMap<>(past);
        feeds.putAll(cross);
        feeds.put("tokens", Tensor.of(flat(tokens), tokens.length, tokens[0].length));
        feeds.put("select", Tensor.of(flat(new int[][] {select}), select.length));
        Map<String, Tensor> others = new HashMap<>(), next = new HashMap<>();
        for (Map.Entry<String, Tensor> entry : decoder.run(feeds).entrySet()) {
            boolean cache = entry.getKey().startsWith("present_");
            (cache ? next : others).put(entry.getKey().replace("present_", "past_"), entry.getValue());
        }
        replace(next);
        return others;
    }

    /** Continues so many times from the only hypothesis. */
    void repeat(int count) {
        if (count == 1) {
            return;
        }
        Map<String, Tensor> repeated = new HashMap<>();
        for (Map.Entry<String, Tensor> entry : past.entrySet()) {
            float[] values = entry.getValue().floats(), many = new float[values.length * count];
            for (int i = 0; i < count; i++) {
                System.arraycopy(values, 0, many, i * values.length, values.length);
            }
            int[] shape = entry.getValue().shape();
            shape[0] = count;
            repeated.put(entry.getKey(), Tensor.of(many, shape));
        }
        replace(repeated);
    }

    private void replace(Map<String, Tensor> next) {
        close();
        past = next;
        borrowed = false;
    }

    @Override
    public void close() {
        if (!borrowed) {
            Tensor.closeAll(past);
        }
        past = Collections.emptyMap();
    }

    private static long[] flat(int[][] rows) {
        long[] all = new long[rows.length * rows[0].length];
        for (int i = 0; i < all.length; i++) {
            all[i] = rows[i / rows[0].length][i % rows[0].length];
        }
        return all;
    }

    private static float[][][] rows(float[] logits, int hypotheses, int selected) {
        int vocabulary = logits.length / (hypotheses * selected);
        float[][][] rows = new float[hypotheses][selected][vocabulary];
        for (int i = 0; i < hypotheses * selected; i++) {
            System.arraycopy(logits, i * vocabulary, rows[i / selected][i % selected], 0, vocabulary);
        }
        return rows;
    }

    /** A token for each hypothesis, as `step` takes them. */
    static int[][] column(List<Integer> tokens) {
        int[][] column = new int[tokens.size()][1];
        for (int i = 0; i < column.length; i++) {
            column[i][0] = tokens.get(i);
        }
        return column;
    }
}
