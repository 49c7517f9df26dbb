package edgekit.phone.loops;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A picture to labels, from RGB pixels of any size to a ranking. */
public final class ImageClassifier implements TaskLoop {
    private final Graph network;
    private final String input;
    private final String output;
    private final boolean signed;
    private final boolean signedScores;
    private final int height;
    private final int width;
    private final Map<String, Object> rule;
    private final String[] labels;
    private final float scale;
    private final int zeroPoint;
    private final boolean softmax;

    public ImageClassifier(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        network = parts.get("network");
        input = description.part("network").inputs[0].name;
        output = description.part("network").outputs[0].name;
        signed = description.part("network").inputs[0].dtype.equals("int8");
        signedScores = description.part("network").outputs[0].dtype.equals("int8");
        height = Json.integer(facts.get("height"));
        width = Json.integer(facts.get("width"));
        labels = Json.texts(facts.get("labels"));
        rule = facts.get("resize") == null ? Collections.<String, Object>emptyMap() : Json.object(facts.get("resize"));
        scale = facts.containsKey("scale") ? (float) Json.number(facts.get("scale")) : 1;
        zeroPoint = facts.containsKey("zero_point") ? Json.integer(facts.get("zero_point")) : 0;
        softmax = "softmax".equals(facts.get("activation"));
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Tensor input = golden.get("pixels");
        int[] shape = input.shape();
        return classify(input.bytes(), shape[0], shape[1], 1).get(0).label;
    }

    /**
     * The most probable labels first.
     *
     * @param rgb pixels [height, width, 3], upright, without transparency.
     * @param top how many to tell; all where there are fewer.
     */
    public List<Ranked> classify(byte[] rgb, int height, int width, int top) {
        if (height < 1 || width < 1 || rgb.length != (long) height * width * 3) {
            throw new IllegalArgumentException(rgb.length + " bytes are not " + height + " x " + width + " RGB pixels");
        }
        return Ranked.of(scores(fitted(rgb, height, width)), labels, top);
    }

    /** Pixels of the network's own size. */
    public byte[] fitted(byte[] rgb, int high, int wide) {
        if (high == height && wide == width) {
            return rgb;
        }
        boolean shorter = rule.containsKey("short_side");
        Object kind = rule.get("filter") == null && shorter ? "bicubic" : rule.get("filter");
        Resample.Filter filter = "bicubic".equals(kind) ? Resample.Filter.BICUBIC : Resample.Filter.BILINEAR;
        if (!shorter) {
            int[] size = rule.get("size") == null ? new int[] {height, width} : Json.integers(rule.get("size"));
            boolean whole = rule.containsKey("size") || rule.get("crop") == null;
            return whole
                    ? middle(Resample.resize(rgb, high, wide, size[0], size[1], filter), size[0], size[1])
                    : middle(rgb, high, wide);
        }
        // Of a picture that is longer than 8 times its width, only the middle is made larger.
        if (Math.max(wide, high) > 8 * Math.min(wide, high)) {
            int newWide = Math.min(wide, 4 * high), newHigh = Math.min(high, 4 * wide);
            byte[] middle = crop(rgb, high, wide, (high - newHigh) / 2, (wide - newWide) / 2, newHigh, newWide);
            return fitted(middle, newHigh, newWide);
        }
        int shortSide = Json.integer(rule.get("short_side"));
        int newWide = wide <= high ? shortSide : (int) ((long) shortSide * wide / high);
        int newHigh = wide <= high ? (int) ((long) shortSide * high / wide) : shortSide;
        return middle(Resample.resize(rgb, high, wide, newHigh, newWide, filter), newHigh, newWide);
    }

    /** The middle of a picture, halves rounded down where the rule says so, else to even. */
    private byte[] middle(byte[] rgb, int high, int wide) {
        boolean down = "center, down".equals(rule.get("crop"));
        int left = down ? Math.floorDiv(wide - width, 2) : (int) Math.rint((wide - width) / 2.0);
        int top = down ? Math.floorDiv(high - height, 2) : (int) Math.rint((high - height) / 2.0);
        return crop(rgb, high, wide, top, left, height, width);
    }

    /** A part of a picture; what lies outside of it is black. */
    private static byte[] crop(byte[] rgb, int high, int wide, int top, int left, int newHigh, int newWide) {
        byte[] out = new byte[newHigh * newWide * 3];
        int first = Math.max(0, -left), end = Math.min(newWide, wide - left);
        for (int y = Math.max(0, -top); y < Math.min(newHigh, high - top); y++) {
            System.arraycopy(rgb, ((top + y) * wide + left + first) * 3, out, (y * newWide + first) * 3, (end - first) * 3);
        }
        return out;
    }

    private float[] scores(byte[] pixels) {
        byte[] bytes = pixels;
        if (signed) {
            bytes = new byte[pixels.length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (pixels[i] ^ 0x80);
            }
        }
        Map<String, Tensor> feeds = new HashMap<>();
        int[] shape = {1, height, width, 3};
        feeds.put(input, signed ? Tensor.signed(bytes, shape) : Tensor.unsigned(bytes, shape));
        float[] scores;
        try (Tensor made = network.run(feeds).get(output)) {
            scores = signedScores ? widened(made.bytes()) : made.floats().clone();
        }
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (scores[i] - zeroPoint) * scale;
        }
        return softmax ? Numbers.softmax(scores) : scores;
    }

    private static float[] widened(byte[] values) {
        float[] wide = new float[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }
}
