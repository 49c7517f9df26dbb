package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A sound to labels, of networks that take it whole; of a long one its beginning. */
public final class SoundLabels implements TaskLoop {
    private final Graph network;
    /** Null: the network takes samples. */
    private final Graph frontend;
    private final Description.Spec samples;
    private final Description.Spec features;
    private final String output;
    private final Waveform waves;
    private final String[] labels;
    private final String activation;
    private final Map<String, Object> facts;
    /** Samples in a second. */
    public final int rate;

    public SoundLabels(Map<String, Graph> parts, Description description) {
        facts = description.facts;
        network = parts.get("network");
        frontend = parts.get("frontend");
        features = description.part("network").inputs[0];
        samples = frontend == null ? features : description.part("frontend").inputs[0];
        output = description.part("network").outputs[0].name;
        waves = new Waveform(facts, samples);
        rate = waves.rate;
        labels = Json.texts(facts.get("labels"));
        activation = (String) facts.get("activation");
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return classify(Samples.of(golden.get("audio").floats()), 1).get(0).label;
    }

    /**
     * The most probable labels first.
     *
     * @param top how many to tell; all where there are fewer.
     * @throws IllegalArgumentException the sound is too short, or values are not numbers.
     */
    public List<Ranked> classify(Samples sound, int top) {
        float[] held = waves.window(sound, 0);
        Map<String, Tensor> feeds = Collections.singletonMap(samples.name, waves.input(held));
        if (frontend != null) {
            feeds = Collections.singletonMap(features.name, spectrum(frontend.run(feeds), held.length));
        }
        Map<String, Tensor> made = network.run(feeds);
        try {
            return Ranked.of(scores(made.get(output).floats().clone()), labels, top);
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** The features, silent behind the sound's end. */
    private Tensor spectrum(Map<String, Tensor> made, int length) {
        try {
            Tensor tensor = made.get(features.name);
            int[] shape = tensor.shape();
            float[] values = tensor.floats().clone();
            int frame = Json.integer(facts.get("frame")), hop = Json.integer(facts.get("hop"));
            int rows = Math.min(shape[1], Math.max(0, 1 + Math.floorDiv(length - frame, hop)));
            Arrays.fill(values, rows * shape[2], values.length, (float) Json.number(facts.get("silence")));
            return Tensor.of(values, shape);
        } finally {
            Tensor.closeAll(made);
        }
    }

    private float[] scores(float[] logits) {
        if ("softmax".equals(activation)) {
            return Numbers.softmax(logits);
        }
        for (int i = 0; "sigmoid".equals(activation) && i < logits.length; i++) {
            logits[i] = (float) (1 / (1 + Math.exp(-logits[i])));
        }
        return logits;
    }
}
