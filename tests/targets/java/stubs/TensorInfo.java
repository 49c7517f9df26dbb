package ai.onnxruntime;

/** As onnxruntime-android has it, as far as the modules use it. */
public class TensorInfo {
    public final OnnxJavaType type;
    private final long[] shape;

    TensorInfo(OnnxJavaType type, long[] shape) {
        this.type = type;
        this.shape = shape;
    }

    public long[] getShape() {
        return shape.clone();
    }
}
