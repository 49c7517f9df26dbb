package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;

/** A picture to a class for every pixel of it. */
public final class PictureAreas implements TaskLoop {
    /** Most pixels of the answer's longer side: a larger picture gets the mask of its reduction. */
    private static final double LONGEST = 2048;
    /** Shares that are told. */
    private static final double TOLD = 0.005;

    /** Classes row by row. */
    public static final class Mask {
        public final byte[] classes;
        public final int height;
        public final int width;
        /** Of the classes, in their order; and the share of the picture that each has. */
        public final String[] labels;

        public final double[] shares;

        Mask(byte[] classes, int height, int width, String[] labels) {
            this.classes = classes;
            this.height = height;
            this.width = width;
            this.labels = labels;
            shares = new double[labels.length];
            for (byte kind : classes) {
                shares[kind & 255]++;
            }
            for (int i = 0; i < shares.length; i++) {
                shares[i] /= classes.length;
            }
        }

        /** The largest shares, for people: such as "person 61%, background 39%". */
        @Override
        public String toString() {
            StringBuilder text = new StringBuilder();
            double[] left = shares.clone();
            for (int best = most(left); left[best] >= TOLD; best = most(left)) {
                text.append(text.length() == 0 ? "" : ", ").append(labels[best]).append(' ');
                text.append(Numbers.text(left[best] * 100, 0, false)).append('%');
                left[best] = -1;
            }
            return text.toString();
        }

        private static int most(double[] values) {
            int most = 0;
            for (int i = 1; i < values.length; i++) {
                most = values[i] > values[most] ? i : most;
            }
            return most;
        }
    }

    private final Graph network;
    private final String input;
    private final int height;
    private final int width;
    private final Map<String, Object> rule;
    private final String[] labels;

    public PictureAreas(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        network = parts.get("network");
        input = description.part("network").inputs[0].name;
        height = Json.integer(facts.get("height"));
        width = Json.integer(facts.get("width"));
        rule = facts.get("resize") == null ? Collections.<String, Object>emptyMap() : Json.object(facts.get("resize"));
        labels = Json.texts(facts.get("labels"));
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Tensor input = golden.get("pixels");
        int[] shape = input.shape();
        return segment(input.bytes(), shape[0], shape[1]).toString();
    }

    /**
     * The mask of a picture, as large as the picture, at most 2048 a side.
     *
     * @param rgb pixels [height, width, 3], upright, without transparency.
     */
    public Mask segment(byte[] rgb, int height, int width) {
        PlacedPicture picture = PlacedPicture.of(rgb, height, width, rule, this.height, this.width);
        Tensor pixels = Tensor.unsigned(picture.pixels, 1, this.height, this.width, 3);
        Map<String, Tensor> made = network.run(Collections.singletonMap(input, pixels));
        try {
            Tensor logits = made.get("logits");
            return mask(logits.floats(), logits.shape(), picture);
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** The largest logit of each pixel, of one the sign: the picture's part of the input, bilinear at its size. */
    private Mask mask(float[] logits, int[] shape, PlacedPicture picture) {
        int rows = shape[1], columns = shape[2], classes = shape[3];
        double share = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
        int wide = Math.max(1, (int) Math.rint(picture.width * share));
        int high = Math.max(1, (int) Math.rint(picture.height * share));
        double left = picture.left * columns, top = picture.top * rows;
        Plane.Part part = new Plane.Part(
                (float) left, (float) top, (float) (left + picture.across * columns), (float) (top + picture.down * rows));
        byte[] best = new byte[high * wide];
        float[] most = new float[high * wide];
        Arrays.fill(most, classes == 1 ? 0 : Float.NEGATIVE_INFINITY);
        for (int kind = 0; kind < classes; kind++) {
            float[] layer = new float[rows * columns];
            for (int i = 0; i < layer.length; i++) {
                layer[i] = logits[i * classes + kind];
            }
            float[] large = Plane.resize(layer, rows, columns, part, high, wide);
            for (int i = 0; i < large.length; i++) {
                if (large[i] > most[i]) {
                    most[i] = large[i];
                    best[i] = (byte) (classes == 1 ? 1 : kind);
                }
            }
        }
        return new Mask(best, high, wide, labels);
    }
}
