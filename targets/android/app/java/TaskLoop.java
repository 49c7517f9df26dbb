package edgekit.phone.loops;

import java.util.Map;

/**
 * What computes a task's answers from the parts of a bundle. Each has a constructor of these parts by name and the bundle's
 * description, and methods of its own for an app's inputs; what all of them can do is to answer the golden input.
 */
public interface TaskLoop {
    /**
     * Runs every part on the bundle's golden input and says the answer as a text for people.
     *
     * @param golden "audio", "pixels", "numbers" or "text", by the task; of plain tensors all inputs.
     */
    String answer(Map<String, Tensor> golden, Watch watch);
}
