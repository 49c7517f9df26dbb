package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A streaming detector of speech: it takes samples in pieces, keeps its state between them, and gives a probability of
 * speech for every frame. The answers do not depend on where the sound was cut.
 */
final class SpeechListener implements AutoCloseable {
    /** Samples of a frame; the network sees those of the context before it, too. */
    final int hop;

    private final int context;
    private final Graph network;
    /** Input to the output that is its next value. */
    private final Map<String, Object> next;
    private final Map<String, Tensor> states = new HashMap<>();
    private float[] held;

    /** @param facts "detector" of the bundle's facts. */
    SpeechListener(Graph network, Description.Part part, Map<String, Object> facts) {
        this.network = network;
        hop = Json.integer(facts.get("hop"));
        context = Json.integer(facts.get("context"));
        next = Json.object(facts.get("states"));
        held = new float[context];
        for (Description.Spec spec : part.inputs) {
            if (next.containsKey(spec.name)) {
                int size = 1;
                for (int axis : spec.shape) {
                    size *= axis;
                }
                states.put(spec.name, Tensor.of(new float[size], spec.shape));
            }
        }
    }

    /** The probabilities of the frames that `samples` complete. `check` runs before each. */
    List<Double> push(float[] samples, Runnable check) {
        float[] all = Arrays.copyOf(held, held.length + samples.length);
        System.arraycopy(samples, 0, all, held.length, samples.length);
        List<Double> heard = new ArrayList<>();
        int start = 0, size = context + hop;
        for (; all.length - start >= size; start += hop) {
            check.run();
            heard.add(probability(Arrays.copyOfRange(all, start, start + size)));
        }
        held = Arrays.copyOfRange(all, start, all.length);
        return heard;
    }

    /** The probability of the last frame, filled with zeros; nothing if no samples are left. */
    List<Double> finish(Runnable check) {
        int left = held.length - context;
        return left == 0 ? new ArrayList<Double>() : push(new float[hop - left], check);
    }

    private double probability(float[] window) {
        Map<String, Tensor> feeds = new HashMap<>(states);
        feeds.put("audio", Tensor.of(window, 1, window.length));
        Map<String, Tensor> made = new HashMap<>(network.run(feeds));
        for (Map.Entry<String, Object> state : next.entrySet()) {
            states.put(state.getKey(), made.remove((String) state.getValue())).close();
        }
        try {
            return made.get("probability").floats()[0];
        } finally {
            Tensor.closeAll(made);
        }
    }

    @Override
    public void close() {
        Tensor.closeAll(states);
    }
}
