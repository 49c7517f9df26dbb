package edgekit.phone.runtime;

import edgekit.phone.loops.Tensor;

/** Values in the runtime's memory, which come into the Java heap only where somebody asks for them. */
final class NativeTensor extends Tensor {
    /** ONNX's numbers, in the order of `Type`. */
    private static final int[] TYPES = {1, 7, 2, 3, 6, 9};
    private long handle;

    NativeTensor(long handle) {
        super(type(handle), shape(handle));
        this.handle = handle;
    }

    /** The handle of a tensor's values: its own, or a copy of what is in the Java heap. */
    static NativeTensor of(Tensor tensor) {
        if (tensor instanceof NativeTensor) {
            return (NativeTensor) tensor;
        }
        int[] sizes = tensor.shape();
        long[] shape = new long[sizes.length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = sizes[i];
        }
        switch (tensor.type()) {
            case FLOAT32:
                return new NativeTensor(Native.floats(tensor.floats(), shape));
            case INT64:
                return new NativeTensor(Native.longs(tensor.longs(), shape));
            case INT32:
                return new NativeTensor(Native.ints(tensor.ints(), shape));
            default:
                return new NativeTensor(Native.bytes(tensor.bytes(), shape, TYPES[tensor.type().ordinal()]));
        }
    }

    private static Type type(long handle) {
        int number = Native.type(handle);
        for (int i = 0; i < TYPES.length; i++) {
            if (TYPES[i] == number) {
                return Type.values()[i];
            }
        }
        throw new IllegalStateException("the graph gives a tensor of the type " + number + ", which no loop knows");
    }

    private static int[] shape(long handle) {
        long[] sizes = Native.shape(handle);
        int[] shape = new int[sizes.length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = Math.toIntExact(sizes[i]);
        }
        return shape;
    }

    long handle() {
        if (handle == 0) {
            throw new IllegalStateException("the tensor is closed");
        }
        return handle;
    }

    @Override
    public float[] floats() {
        return type() == Type.FLOAT32 ? Native.toFloats(handle()) : super.floats();
    }

    @Override
    public long[] longs() {
        return type() == Type.INT64 ? Native.toLongs(handle()) : super.longs();
    }

    @Override
    public int[] ints() {
        return type() == Type.INT32 ? Native.toInts(handle()) : super.ints();
    }

    @Override
    public byte[] bytes() {
        return type() == Type.UINT8 || type() == Type.INT8 || type() == Type.BOOL ? Native.toBytes(handle()) : super.bytes();
    }

    @Override
    public void close() {
        Native.release(handle);
        handle = 0;
    }
}
