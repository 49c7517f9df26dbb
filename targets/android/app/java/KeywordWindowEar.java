package edgekit.phone.loops;

import java.util.Collections;
import java.util.Map;

/** A frontend graph over the whole window of the network. */
final class KeywordWindowEar extends KeywordEar {
    private final Graph frontend;
    private final Graph network;
    private final String output;
    private final boolean signed;

    KeywordWindowEar(Map<String, Graph> parts, Description description, KeywordRules rules) {
        super(rules.first, rules.hop);
        frontend = parts.get("frontend");
        network = parts.get("network");
        Description.Spec spec = description.part("network").outputs[0];
        output = spec.name;
        signed = spec.dtype.equals("int8");
    }

    @Override
    public int[] look(float[] window) {
        Map<String, Tensor> features = frontend.run(Collections.singletonMap("audio", Tensor.of(window, 1, window.length)));
        Map<String, Tensor> made = network.run(Collections.singletonMap("window", features.get("window")));
        try {
            Tensor scores = made.get(output);
            return signed ? whole(scores.bytes()) : shares(scores.floats());
        } finally {
            Tensor.closeAll(features);
            Tensor.closeAll(made);
        }
    }

    private static int[] whole(byte[] scores) {
        int[] shifted = new int[scores.length];
        for (int i = 0; i < shifted.length; i++) {
            shifted[i] = scores[i] + 128;
        }
        return shifted;
    }

    private static int[] shares(float[] logits) {
        double top = logits[Numbers.argmax(logits)], sum = 0;
        double[] odds = new double[logits.length];
        for (int i = 0; i < odds.length; i++) {
            odds[i] = Math.exp(logits[i] - top);
            sum += odds[i];
        }
        int[] scaled = new int[odds.length];
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = (int) Math.max(0, Math.min(255, Math.rint(256 * odds[i] / sum)));
        }
        return scaled;
    }

    @Override
    public void reset() {}
}
