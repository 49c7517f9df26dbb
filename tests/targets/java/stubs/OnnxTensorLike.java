package ai.onnxruntime;

/** As onnxruntime-android has it, as far as the modules use it. */
public abstract class OnnxTensorLike implements OnnxValue {
    public abstract TensorInfo getInfo();
}
