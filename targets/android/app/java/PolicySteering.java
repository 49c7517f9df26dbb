package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;

/** A policy without state: from what a robot's sensors say to what its motors do, a step at a time. */
public final class PolicySteering implements TaskLoop {
    private final Graph network;
    private final String input;
    private final String output;
    private final float limit;
    /** Numbers of an observation, and of an action. */
    public final int observations;

    public final int actions;

    public PolicySteering(Map<String, Graph> parts, Description description) {
        Description.Part part = description.part("network");
        network = parts.get("network");
        input = part.inputs[0].name;
        output = part.outputs[0].name;
        observations = part.inputs[0].shape[1];
        actions = part.outputs[0].shape[1];
        limit = (float) Json.number(description.facts.get("limit"));
    }

    /**
     * The action for an observation, as the network gives it: motors clip what is beyond the limit.
     *
     * @throws IllegalArgumentException an observation of another size, or numbers that are not finite.
     */
    public float[] act(float[] observation) {
        if (observation.length != observations) {
            throw new IllegalArgumentException(
                    "an observation has " + observation.length + " numbers; this robot's has " + observations);
        }
        for (float value : observation) {
            if (Float.isNaN(value) || Float.isInfinite(value)) {
                throw new IllegalArgumentException("an observation holds a number that is not finite");
            }
        }
        Tensor row = Tensor.of(observation, 1, observations);
        Map<String, Tensor> made = network.run(Collections.singletonMap(input, row));
        try {
            return made.get(output).floats().clone();
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** An action within the limit, as motors take it. */
    public float[] applied(float[] action) {
        float[] applied = action.clone();
        for (int i = 0; i < applied.length; i++) {
            applied[i] = Math.max(-limit, Math.min(limit, applied[i]));
        }
        return applied;
    }

    /** The last applied action for rows of observations. */
    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        float[] rows = golden.get("numbers").floats(), action = new float[0];
        for (int at = 0; at < rows.length; at += observations) {
            watch.at(at, rows.length);
            action = applied(act(Arrays.copyOfRange(rows, at, at + observations)));
        }
        StringBuilder text = new StringBuilder();
        for (float value : action) {
            text.append(text.length() == 0 ? "" : " ").append(Numbers.text(value, 2, true));
        }
        return text.toString();
    }
}
