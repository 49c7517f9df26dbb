package edgekit.phone.runtime;

/** The functions of graph_jni.c. Handles are addresses; 0 is none. All throw IllegalStateException with a reason. */
final class Native {
    private Native() {}

    static native long open(String library, String model, int threads);

    static native String version();

    static native void run(long session, String[] names, long[] values, String[] wanted, long[] results);

    static native void close(long session);

    static native long floats(float[] values, long[] shape);

    static native long longs(long[] values, long[] shape);

    static native long ints(int[] values, long[] shape);

    /** @param type ONNX's number of a type of one byte. */
    static native long bytes(byte[] values, long[] shape, int type);

    static native int type(long value);

    static native long[] shape(long value);

    static native float[] toFloats(long value);

    static native long[] toLongs(long value);

    static native int[] toInts(long value);

    static native byte[] toBytes(long value);

    static native void release(long value);
}
