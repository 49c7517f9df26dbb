package edgekit.phone.loops;

import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/** microWakeWord: a frontend graph makes the frames of one call of a streaming network, and knows the noise so far. */
final class WakewordStrideEar extends KeywordEar {
    private final Graph frontend;
    private final Graph network;
    private final int channels;
    private float[] noise;

    WakewordStrideEar(Map<String, Graph> parts, Map<String, Object> facts, KeywordRules rules) {
        super(rules.first, rules.hop);
        frontend = parts.get("frontend");
        network = parts.get("network");
        channels = Json.integer(Json.object(facts.get("frontend")).get("features"));
        noise = new float[channels];
    }

    @Override
    public int[] look(float[] window) {
        Map<String, Tensor> feeds = new HashMap<>();
        feeds.put("audio", Tensor.of(window, 1, window.length));
        feeds.put("noise", Tensor.of(noise, 1, channels));
        Map<String, Tensor> made = frontend.run(feeds);
        Map<String, Tensor> out = network.run(Collections.singletonMap("window", made.get("window")));
        try {
            noise = made.get("noise_after").floats().clone();
            byte[] scores = out.get("probability").bytes();
            int[] unsigned = new int[scores.length];
            for (int i = 0; i < unsigned.length; i++) {
                unsigned[i] = scores[i] & 255;
            }
            return unsigned;
        } finally {
            Tensor.closeAll(made);
            Tensor.closeAll(out);
        }
    }

    @Override
    public void reset() {
        noise = new float[channels];
        network.reset();
    }
}
