package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Latent frames of a voice to samples, in windows that overlap as far as a sample looks: memory does not grow with a text. */
final class VoiceDecoder {
    private final Graph network;
    private final int hop;
    private final int halo;
    private final int window;
    /** The frames that the network takes at once; 0: any number. */
    private final int fixed;

    VoiceDecoder(Graph network, Description description) {
        this.network = network;
        fixed = Math.max(0, description.part("decoder").inputs[0].shape[2]);
        hop = Json.integer(description.facts.get("hop"));
        halo = Json.integer(description.facts.get("halo"));
        window = Json.integer(description.facts.get("window"));
    }

    /**
     * The sound of latent frames, a window at a time.
     *
     * @param latents by channel. done, sentences: for the watch, how many were read before, and how many there are.
     */
    List<float[]> sound(float[][] latents, Watch watch, int done, int sentences) {
        int total = latents[0].length, size = fixed > 0 ? fixed : Math.min(total, window);
        List<float[]> sounds = new ArrayList<>();
        for (int begin = 0, end; begin < total; begin = end) {
            watch.at(done + begin / (double) total, sentences);
            int start = Math.max(0, Math.min(begin - halo, total - size));
            end = start + size >= total ? total : start + size - halo;
            int count = Math.min(size, total - start);
            float[] held = new float[latents.length * size], mask = new float[size];
            Arrays.fill(mask, 0, count, 1);
            for (int channel = 0; channel < latents.length; channel++) {
                System.arraycopy(latents[channel], start, held, channel * size, count);
            }
            Map<String, Tensor> feeds = new HashMap<>();
            feeds.put("latents", Tensor.of(held, 1, latents.length, size));
            feeds.put("mask", Tensor.of(mask, 1, size));
            Map<String, Tensor> made = network.run(feeds);
            try {
                float[] audio = made.get("audio").floats();
                sounds.add(Arrays.copyOfRange(audio, (begin - start) * hop, (end - start) * hop));
            } finally {
                Tensor.closeAll(made);
            }
        }
        return sounds;
    }
}
