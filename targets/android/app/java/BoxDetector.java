package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A picture to labelled boxes: fit, run, keep what is sure enough, and of boxes of one thing the best. */
public final class BoxDetector implements TaskLoop {
    private final Graph network;
    private final String input;
    private final int height;
    private final int width;
    private final Map<String, Object> rule;
    private final String[] labels;
    private final boolean softmax;
    private final double overlap;
    /** The least score that counts, by default. */
    public final double threshold;

    /** @param facts of the bundle, or "detector" of them. input: name of the network's input. */
    BoxDetector(Graph network, String input, Map<String, Object> facts) {
        this.network = network;
        this.input = input;
        height = Json.integer(facts.get("height"));
        width = Json.integer(facts.get("width"));
        rule = facts.get("resize") == null ? Collections.<String, Object>emptyMap() : Json.object(facts.get("resize"));
        labels = Json.texts(facts.get("labels"));
        softmax = "softmax".equals(facts.get("activation"));
        overlap = Json.number(facts.get("overlap"));
        threshold = Json.number(facts.get("threshold"));
    }

    public BoxDetector(Map<String, Graph> parts, Description description) {
        this(parts.get("network"), description.part("network").inputs[0].name, description.facts);
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Tensor input = golden.get("pixels");
        int[] shape = input.shape();
        return Box.text(detect(input.bytes(), shape[0], shape[1], threshold));
    }

    /**
     * What is in a picture, best first.
     *
     * @param rgb pixels [height, width, 3], upright, without transparency.
     */
    public List<Box> detect(byte[] rgb, int height, int width, double threshold) {
        PlacedPicture picture = PlacedPicture.of(rgb, height, width, rule, this.height, this.width);
        Tensor pixels = Tensor.unsigned(picture.pixels, 1, this.height, this.width, 3);
        Map<String, Tensor> made = network.run(Collections.singletonMap(input, pixels));
        try {
            return Box.kept(boxes(made, picture, threshold), overlap);
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** All that are sure enough and have an area, label by label. */
    private List<List<Box>> boxes(Map<String, Tensor> made, PlacedPicture picture, double threshold) {
        float[] shares = made.get("boxes").floats(), logits = made.get("logits").floats();
        float[] points = made.containsKey("points") ? made.get("points").floats() : new float[0];
        int count = shares.length / 4, classes = logits.length / count, numbers = points.length / count;
        List<List<Box>> boxes = new ArrayList<>();
        for (int label = 0; label < labels.length; label++) {
            boxes.add(new ArrayList<Box>());
        }
        for (int i = 0; i < count; i++) {
            double[] scores = scores(logits, i * classes, classes);
            int best = 0;
            for (int label = 1; label < labels.length; label++) {
                best = scores[label] > scores[best] ? label : best;
            }
            double[] whole = picture.back(shares, i * 4, 4), sides = new double[4];
            for (int side = 0; side < 4; side++) {
                int most = side % 2 == 0 ? picture.width : picture.height;
                sides[side] = Math.max(0, Math.min(most, whole[side]));
            }
            if (scores[best] >= threshold && sides[2] > sides[0] && sides[3] > sides[1]) {
                double[] places = picture.back(points, i * numbers, numbers);
                boxes.get(best).add(new Box(labels[best], scores[best], sides, whole, places));
            }
        }
        return boxes;
    }

    /** Probabilities of the labels. */
    private double[] scores(float[] logits, int from, int classes) {
        double[] scores = new double[classes];
        double top = Double.NEGATIVE_INFINITY, sum = 0;
        for (int i = 0; i < classes; i++) {
            top = Math.max(top, logits[from + i]);
        }
        for (int i = 0; i < classes; i++) {
            double logit = logits[from + i];
            scores[i] = softmax ? Math.exp(logit - top) : 1 / (1 + Math.exp(-Math.max(-100, Math.min(100, logit))));
            sum += scores[i];
        }
        for (int i = 0; softmax && i < classes; i++) {
            scores[i] /= sum;
        }
        return scores;
    }
}
