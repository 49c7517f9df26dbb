package edgekit.phone.loops;

import java.util.Map;

/** One part of the model, loaded by a runtime. Calls come one at a time. */
public interface Graph extends AutoCloseable {
    /** Runs it. Outputs are the caller's to close; inputs stay his, too. */
    Map<String, Tensor> run(Map<String, Tensor> inputs);

    /** Forgets the state of a streaming network; does nothing where there is none. */
    default void reset() {}

    @Override
    default void close() {}
}
