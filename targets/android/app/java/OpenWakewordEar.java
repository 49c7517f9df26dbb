package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;

/**
 * openWakeWord's three networks, 80 ms at a time. Silence is taken to have been before the sound, so the networks need no
 * run-up.
 */
final class OpenWakewordEar extends KeywordEar {
    private final Map<String, Graph> parts;
    private final int step;
    private final int mels;
    private final int seen;
    private final int embeddingCount;
    private final float silentFrame;
    private final float[] silentEmbedding;
    private float[] frames;
    private float[] embeddings;

    OpenWakewordEar(Map<String, Graph> parts, Map<String, Object> facts) {
        this(parts, Json.object(facts.get("frontend")), Json.object(facts.get("silence")));
    }

    private OpenWakewordEar(Map<String, Graph> parts, Map<String, Object> shape, Map<String, Object> silence) {
        super(Json.integer(shape.get("samples")), Json.integer(shape.get("hop")));
        this.parts = parts;
        step = Json.integer(shape.get("step"));
        mels = Json.integer(shape.get("mels"));
        seen = Json.integer(shape.get("frames"));
        embeddingCount = Json.integer(shape.get("embeddings"));
        silentFrame = (float) Json.number(silence.get("frame"));
        silentEmbedding = Json.floats(silence.get("embedding"));
        reset();
    }

    @Override
    public int before() {
        return hop;
    }

    @Override
    public int[] look(float[] window) {
        float[] all = joined(frames, run("frontend", "audio", "frames", Tensor.of(window, 1, window.length)));
        frames = Arrays.copyOfRange(all, step * mels, all.length);
        float[] looked = Arrays.copyOf(all, seen * mels);
        float[] made = run("embedding", "window", "embedding", Tensor.of(looked, 1, seen, mels));
        float[] many = joined(embeddings, made);
        embeddings = Arrays.copyOfRange(many, made.length, many.length);
        float[] logits = run("head", "embeddings", "logits", Tensor.of(many, 1, embeddingCount, made.length));
        return new int[] {(int) Math.min(255, 256 * probability(logits))};
    }

    private float[] run(String part, String input, String output, Tensor value) {
        Map<String, Tensor> made = parts.get(part).run(Collections.singletonMap(input, value));
        try {
            return made.get(output).floats().clone();
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** Logits of the listener and of the checker, to the probability that the phrase was said. */
    private static double probability(float[] logits) {
        double decisive = logits[0] < 0 ? logits[0] : logits[1];
        return decisive > -700 ? 1 / (1 + Math.exp(-decisive)) : 0.0;
    }

    private static float[] joined(float[] first, float[] second) {
        float[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    @Override
    public void reset() {
        // One call's frames more than an embedding looks at do not fit, so the newest few wait for the next call.
        int held = (seen + step - 1) / step * step - step;
        frames = new float[held * mels];
        Arrays.fill(frames, silentFrame);
        embeddings = new float[(embeddingCount - 1) * silentEmbedding.length];
        for (int i = 0; i < embeddings.length; i++) {
            embeddings[i] = silentEmbedding[i % silentEmbedding.length];
        }
    }
}
