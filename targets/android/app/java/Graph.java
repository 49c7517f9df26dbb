package edgekit.phone.loops;

import java.util.Map;

/**
 * One part of the model, loaded by a runtime. Calls come one at a time. (A class: the dexers that can be had everywhere know
 * no methods with a body in an interface, and no lambdas.)
 */
public abstract class Graph implements AutoCloseable {
    /** Runs it. Outputs are the caller's to close; inputs stay his, too. */
    public abstract Map<String, Tensor> run(Map<String, Tensor> inputs);

    /** Forgets the state of a streaming network; does nothing where there is none. */
    public void reset() {}

    @Override
    public void close() {}
}
