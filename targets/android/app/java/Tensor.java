package edgekit.phone.loops;

import java.util.Map;

/**
 * Values of one input or output of a graph. The loops only ask for values that they need: a runtime may keep the others
 * in its own memory (caches, encoder states) and hand them back to the next call without copying.
 */
public abstract class Tensor implements AutoCloseable {
    /** Of the values. */
    public enum Type {
        FLOAT32,
        INT64,
        UINT8,
        INT8,
        INT32,
        BOOL
    }

    private final Type type;
    private final int[] shape;

    protected Tensor(Type type, int[] shape) {
        this.type = type;
        this.shape = shape.clone();
    }

    public final Type type() {
        return type;
    }

    public final int[] shape() {
        return shape.clone();
    }

    /** How many values there are. */
    public final int size() {
        int size = 1;
        for (int axis : shape) {
            size = Math.multiplyExact(size, axis);
        }
        return size;
    }

    /** The values, row by row. Throws IllegalStateException where they are not float32. */
    public float[] floats() {
        throw new IllegalStateException("not a tensor of float32");
    }

    /** The values, row by row. Throws IllegalStateException where they are not int64. */
    public long[] longs() {
        throw new IllegalStateException("not a tensor of int64");
    }

    /** The values, row by row. Throws IllegalStateException where they are not int32. */
    public int[] ints() {
        throw new IllegalStateException("not a tensor of int32");
    }

    /** The values, row by row, as they lie in memory, 0 or 1 for bool. Throws IllegalStateException for wider types. */
    public byte[] bytes() {
        throw new IllegalStateException("not a tensor of int8, uint8 or bool");
    }

    /** Gives memory back to the runtime; the values are gone. A second call does nothing. */
    @Override
    public void close() {}

    public static void closeAll(Map<String, Tensor> tensors) {
        for (Tensor tensor : tensors.values()) {
            tensor.close();
        }
    }

    public static Tensor of(float[] values, int... shape) {
        return new OfFloats(values, shape);
    }

    public static Tensor of(long[] values, int... shape) {
        return new OfLongs(values, shape);
    }

    public static Tensor of(int[] values, int... shape) {
        return new OfInts(values, shape);
    }

    public static Tensor of(boolean[] values, int... shape) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (values[i] ? 1 : 0);
        }
        return new OfBytes(Type.BOOL, bytes, shape);
    }

    public static Tensor unsigned(byte[] values, int... shape) {
        return new OfBytes(Type.UINT8, values, shape);
    }

    public static Tensor signed(byte[] values, int... shape) {
        return new OfBytes(Type.INT8, values, shape);
    }

    /** Of a type of one byte: uint8, int8 or bool, of which each byte is 0 or 1. */
    public static Tensor bytes(Type type, byte[] values, int... shape) {
        return new OfBytes(type, values, shape);
    }

    /** A copy in the Java heap. */
    public final Tensor copy() {
        switch (type) {
            case FLOAT32:
                return of(floats().clone(), shape);
            case INT64:
                return of(longs().clone(), shape);
            case INT32:
                return of(ints().clone(), shape);
            default:
                return bytes(type, bytes().clone(), shape);
        }
    }

    /** float32 in the Java heap. */
    static final class OfFloats extends Tensor {
        private final float[] values;

        OfFloats(float[] values, int[] shape) {
            super(Type.FLOAT32, shape);
            this.values = values;
            check(values.length, size());
        }

        @Override
        public float[] floats() {
            return values;
        }
    }

    /** int64 in the Java heap. */
    static final class OfLongs extends Tensor {
        private final long[] values;

        OfLongs(long[] values, int[] shape) {
            super(Type.INT64, shape);
            this.values = values;
            check(values.length, size());
        }

        @Override
        public long[] longs() {
            return values;
        }
    }

    /** int32 in the Java heap. */
    static final class OfInts extends Tensor {
        private final int[] values;

        OfInts(int[] values, int[] shape) {
            super(Type.INT32, shape);
            this.values = values;
            check(values.length, size());
        }

        @Override
        public int[] ints() {
            return values;
        }
    }

    /** int8, uint8 or bool in the Java heap. */
    static final class OfBytes extends Tensor {
        private final byte[] values;

        OfBytes(Type type, byte[] values, int[] shape) {
            super(type, shape);
            this.values = values;
            check(values.length, size());
        }

        @Override
        public byte[] bytes() {
            return values;
        }
    }

    private static void check(int values, int size) {
        if (values != size) {
            throw new IllegalArgumentException(values + " values do not fill a shape of " + size);
        }
    }
}
