package ai.onnxruntime;

import edgekit.phone.loops.Tensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/** As onnxruntime-android has it, as far as the modules use it. */
public class OnnxTensor extends OnnxTensorLike {
    final Tensor held;
    private boolean closed;
    /** Tensors that are not closed. */
    public static int open;

    OnnxTensor(Tensor held) {
        this.held = held;
        open++;
    }

    @Override
    public TensorInfo getInfo() {
        long[] shape = new long[held.shape().length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = held.shape()[i];
        }
        String name = held.type() == Tensor.Type.FLOAT32 ? "FLOAT" : held.type().name();
        return new TensorInfo(OnnxJavaType.valueOf(name), shape);
    }

    public FloatBuffer getFloatBuffer() {
        return FloatBuffer.wrap(held.floats());
    }

    public LongBuffer getLongBuffer() {
        return LongBuffer.wrap(held.longs());
    }

    public IntBuffer getIntBuffer() {
        return IntBuffer.wrap(held.ints());
    }

    public ByteBuffer getByteBuffer() {
        return ByteBuffer.wrap(held.bytes());
    }

    @Override
    public synchronized void close() {
        if (closed) {
            throw new IllegalStateException("closed twice");
        }
        closed = true;
        open--;
        held.close();
    }

    public static OnnxTensor createTensor(OrtEnvironment environment, FloatBuffer data, long[] shape)
            throws OrtException {
        return new OnnxTensor(Tensor.of(data.array(), ints(shape)));
    }

    public static OnnxTensor createTensor(OrtEnvironment environment, LongBuffer data, long[] shape)
            throws OrtException {
        return new OnnxTensor(Tensor.of(data.array(), ints(shape)));
    }

    public static OnnxTensor createTensor(OrtEnvironment environment, IntBuffer data, long[] shape)
            throws OrtException {
        return new OnnxTensor(Tensor.of(data.array(), ints(shape)));
    }

    public static OnnxTensor createTensor(OrtEnvironment environment, ByteBuffer data, long[] shape, OnnxJavaType type)
            throws OrtException {
        return new OnnxTensor(Tensor.bytes(Tensor.Type.valueOf(type.name()), data.array(), ints(shape)));
    }

    private static int[] ints(long[] shape) {
        int[] found = new int[shape.length];
        for (int i = 0; i < found.length; i++) {
            found[i] = (int) shape[i];
        }
        return found;
    }
}
