package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** From a clip at 16 kHz to an embedding of its speaker, and from two embeddings to whether one person speaks in both. */
public final class SpeakerEmbedder implements TaskLoop {
    private static final int RATE = 16000;
    /** A clip shorter than this (seconds) or more silent than this (root mean square) holds no voice. */
    private static final double SHORTEST = 0.25;

    private static final double QUIETEST = 1e-4;
    private static final int BLOCK = 10 * RATE;

    private final Graph frontend;
    private final Graph network;
    private final Map<String, Object> facts;
    private final int stretchSamples;
    /** A cosine of at least this means the same speaker. */
    public final double threshold;

    public SpeakerEmbedder(Map<String, Graph> parts, Description description) {
        frontend = parts.get("frontend");
        network = parts.get("network");
        facts = description.facts;
        Object point = facts.get("operating_point");
        threshold = point != null
                ? Json.number(Json.object(point).get("threshold"))
                : Json.number(Json.object(facts.get("threshold")).get("value"));
        int[] shape = description.part("frontend").inputs[0].shape;
        stretchSamples = shape[shape.length - 1];
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return "a voice as " + embed(Samples.of(golden.get("audio").floats()), watch).length + " numbers";
    }

    /**
     * The embedding, of length 1.
     *
     * @throws IllegalArgumentException the clip is shorter than a quarter of a second, silent, or not made of numbers.
     */
    public float[] embed(Samples clip, Watch watch) {
        double loudness = loudness(clip);
        List<float[]> vectors = facts.containsKey("stretch") ? stretches(clip, loudness, watch) : windows(clip, watch);
        double[] mean = new double[vectors.get(0).length];
        for (float[] vector : vectors) {
            for (int i = 0; i < mean.length; i++) {
                mean[i] += vector[i] / (double) vectors.size();
            }
        }
        double length = 0;
        for (double value : mean) {
            length += value * value;
        }
        length = Math.sqrt(length);
        if (!(length > 0)) {
            throw new IllegalArgumentException("the network finds no voice in this clip");
        }
        float[] embedding = new float[mean.length];
        for (int i = 0; i < embedding.length; i++) {
            embedding[i] = (float) (mean[i] / length);
        }
        return embedding;
    }

    /** The cosine of two embeddings. */
    public static double similarity(float[] first, float[] second) {
        double sum = 0;
        for (int i = 0; i < first.length; i++) {
            sum += first[i] * (double) second[i];
        }
        return sum;
    }

    private static double loudness(Samples clip) {
        if (clip.length() < SHORTEST * RATE) {
            throw new IllegalArgumentException("a voice takes at least " + SHORTEST + " s of sound");
        }
        double power = 0;
        for (long at = 0; at < clip.length(); at += BLOCK) {
            for (float value : clip.window(at, BLOCK)) {
                power += value * (double) value;
            }
        }
        double loudness = Math.sqrt(power / clip.length());
        if (loudness < QUIETEST) {
            throw new IllegalArgumentException("the clip is silent: there is no voice in it");
        }
        return loudness;
    }

    /** Windows that cover the clip, evenly spaced, as few as possible; a short clip is repeated. */
    private List<float[]> windows(Samples clip, Watch watch) {
        Map<String, Object> window = Json.object(facts.get("window"));
        int least = Json.integer(window.get("least")), most = Json.integer(window.get("most"));
        int count = (int) Math.max(1, (clip.length() + most - 1) / most);
        long last = Math.max(0, clip.length() - most);
        List<float[]> embeddings = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            watch.at(i, count);
            long start = count > 1 ? (long) Math.rint(i * (double) last / (count - 1)) : 0;
            float[] samples = clip.window(start, most);
            float[] input = Arrays.copyOf(samples, Math.max(least, samples.length));
            for (int k = samples.length; k < input.length; k++) {
                input[k] = samples[k % samples.length];
            }
            embeddings.addAll(run(input, 1, null));
        }
        return embeddings;
    }

    /** Stretches that overlap by about half, in batches; what the last stretch lacks is silence. */
    private List<float[]> stretches(Samples clip, double loudness, Watch watch) {
        Map<String, Object> rules = Json.object(facts.get("stretch"));
        int frames = Json.integer(rules.get("frames")), hop = Json.integer(rules.get("hop"));
        int batch = Json.integer(rules.get("batch"));
        List<Long> starts = starts(clip.length(), frames, Json.integer(rules.get("step")), hop,
                Json.number(rules.get("coverage")));
        List<float[]> embeddings = new ArrayList<>();
        for (int i = 0; i < starts.size(); i += batch) {
            watch.at(i, starts.size());
            List<Long> chosen = starts.subList(i, Math.min(i + batch, starts.size()));
            float[] input = new float[chosen.size() * stretchSamples];
            for (int k = 0; k < chosen.size(); k++) {
                stretch(clip, chosen.get(k) * hop, (stretchSamples - (frames - 1) * hop) / 2, input, k * stretchSamples);
            }
            embeddings.addAll(run(input, chosen.size(), new float[] {(float) loudness}));
        }
        return embeddings;
    }

    /** The samples of a stretch and half a frame's around it; zeros before and behind the clip. */
    private void stretch(Samples clip, long start, int around, float[] into, int at) {
        int before = (int) Math.max(0, around - start);
        float[] samples = clip.window(Math.max(0, start - around), stretchSamples - before);
        System.arraycopy(samples, 0, into, at + before, samples.length);
    }

    private static List<Long> starts(long samples, int frames, int step, int hop, double coverage) {
        long count = (samples + 1 + hop - 1) / hop;
        List<Long> starts = new ArrayList<>();
        for (long start = 0; start < Math.max(1, count - frames + step + 1); start += step) {
            starts.add(start);
        }
        long last = starts.get(starts.size() - 1);
        if (starts.size() > 1 && (samples - last * hop) / (double) (frames * hop) < coverage) {
            starts.remove(starts.size() - 1);
        }
        return starts;
    }

    private List<float[]> run(float[] audio, int rows, float[] loudness) {
        Map<String, Tensor> feeds = new HashMap<>();
        feeds.put("audio", Tensor.of(audio, rows, audio.length / rows));
        if (loudness != null) {
            feeds.put("loudness", Tensor.of(loudness, 1));
        }
        Map<String, Tensor> features = frontend.run(feeds);
        Map<String, Tensor> inputs = new HashMap<>();
        inputs.put("features", features.get("features"));
        Map<String, Tensor> made = network.run(inputs);
        try {
            float[] values = made.get("embedding").floats();
            List<float[]> embeddings = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                int size = values.length / rows;
                embeddings.add(Arrays.copyOfRange(values, i * size, (i + 1) * size));
            }
            return embeddings;
        } finally {
            Tensor.closeAll(features);
            Tensor.closeAll(made);
        }
    }
}
