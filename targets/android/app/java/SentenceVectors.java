package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Sentences to vectors of length 1: similar sentences have similar directions. */
public final class SentenceVectors implements TaskLoop {
    private final Graph network;
    private final Description.Part part;
    private final WordPieces pieces;
    private final int most;
    /** Tokens that the network takes at once; 0: as many as there are. */
    private final int fixed;

    public SentenceVectors(Map<String, Graph> parts, Description description) {
        Map<String, Object> rules = Json.object(description.facts.get("tokenizer"));
        network = parts.get("network");
        part = description.part("network");
        pieces = new WordPieces(description.vocabulary, rules);
        fixed = Math.max(0, part.inputs[0].shape[1]);
        int longest = Json.integer(rules.get("most"));
        most = fixed > 0 ? Math.min(fixed, longest) : longest;
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return "a vector of " + embed(new String(golden.get("text").bytes(), StandardCharsets.UTF_8)).length + " numbers";
    }

    /**
     * The vector of a text, of length 1; the end of a long one is left out.
     *
     * @throws IllegalArgumentException the text is empty.
     */
    public float[] embed(String text) {
        if (text.trim().isEmpty()) {
            throw new IllegalArgumentException("the text is empty");
        }
        List<Integer> tokens = tokens(text);
        int length = fixed > 0 ? fixed : Math.max(2, tokens.size());
        Map<String, long[]> rows = new HashMap<>();
        rows.put("input_ids", new long[length]);
        rows.put("attention_mask", new long[length]);
        rows.put("token_type_ids", new long[length]);
        for (int i = 0; i < length; i++) {
            rows.get("input_ids")[i] = i < tokens.size() ? tokens.get(i) : pieces.pad;
            rows.get("attention_mask")[i] = i < tokens.size() ? 1 : 0;
        }
        Map<String, Tensor> feeds = new HashMap<>();
        for (Description.Spec spec : part.inputs) {
            feeds.put(spec.name, Tensor.of(rows.get(spec.name), 1, length));
        }
        Map<String, Tensor> made = network.run(feeds);
        try {
            return unit(made.get(part.outputs[0].name).floats());
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** The tokens of a text, as the network is given them. */
    List<Integer> tokens(String text) {
        return pieces.tokens(text, most);
    }

    private static float[] unit(float[] values) {
        double length = 0;
        for (float value : values) {
            length += value * (double) value;
        }
        length = Math.sqrt(length);
        if (!(length > 0 && length < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("the network's vector of this text has no direction");
        }
        float[] unit = new float[values.length];
        for (int i = 0; i < unit.length; i++) {
            unit[i] = values[i] / (float) length;
        }
        return unit;
    }

    /** The cosine of two vectors. */
    public static double similarity(float[] first, float[] second) {
        double sum = 0;
        for (int i = 0; i < first.length; i++) {
            sum += first[i] * (double) second[i];
        }
        return sum;
    }
}
