package ai.onnxruntime;

/** As onnxruntime-android has it, as far as the modules use it. */
public interface OnnxValue extends AutoCloseable {
    @Override
    void close();
}
