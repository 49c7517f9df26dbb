package edgekit.phone.loops;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Tensors in a file. Little-endian: the magic number, uint32 calls (1 here); uint32 tensors; for each tensor uint32 length
 * of its name, the name, uint32 type (ONNX's number), uint32 axes, int64 sizes, uint64 bytes, the values.
 */
public final class Vectors {
    private static final int MAGIC = 0x31434b45;
    private static final int FLOAT = 1;
    private static final int UINT8 = 2;
    private static final int INT8 = 3;
    private static final int INT32 = 6;
    private static final int INT64 = 7;
    private static final int BOOL = 9;

    private Vectors() {}

    /** Reads one call's tensors. Throws IOException for anything else. */
    public static Map<String, Tensor> read(DataInputStream in) throws IOException {
        if (integer(in) != MAGIC || integer(in) != 1) {
            throw new IOException("not a file of vectors");
        }
        int count = integer(in);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String name = new String(bytes(in, integer(in)), StandardCharsets.UTF_8);
            int type = integer(in);
            int[] shape = new int[bounded(integer(in), 16)];
            for (int k = 0; k < shape.length; k++) {
                shape[k] = bounded(long64(in), Integer.MAX_VALUE);
            }
            byte[] values = bytes(in, bounded(long64(in), Integer.MAX_VALUE - 16));
            tensors.put(name, tensor(type, values, shape));
        }
        return tensors;
    }

    /** Writes one call's tensors. */
    public static void write(Map<String, Tensor> tensors, DataOutputStream out) throws IOException {
        out.write(number(4, MAGIC));
        out.write(number(4, 1));
        out.write(number(4, tensors.size()));
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            byte[] name = entry.getKey().getBytes(StandardCharsets.UTF_8);
            int[] shape = entry.getValue().shape();
            out.write(number(4, name.length));
            out.write(name);
            byte[] values = values(entry.getValue());
            out.write(number(4, number(entry.getValue().type())));
            out.write(number(4, shape.length));
            for (int size : shape) {
                out.write(number(8, size));
            }
            out.write(number(8, values.length));
            out.write(values);
        }
        out.flush();
    }

    private static byte[] values(Tensor tensor) {
        ByteBuffer room;
        switch (tensor.type()) {
            case INT64:
                room = ByteBuffer.allocate(8 * tensor.size()).order(ByteOrder.LITTLE_ENDIAN);
                room.asLongBuffer().put(tensor.longs());
                return room.array();
            case INT32:
                room = ByteBuffer.allocate(4 * tensor.size()).order(ByteOrder.LITTLE_ENDIAN);
                room.asIntBuffer().put(tensor.ints());
                return room.array();
            case FLOAT32:
                room = ByteBuffer.allocate(4 * tensor.size()).order(ByteOrder.LITTLE_ENDIAN);
                room.asFloatBuffer().put(tensor.floats());
                return room.array();
            default:
                return tensor.bytes();
        }
    }

    private static int number(Tensor.Type type) {
        switch (type) {
            case FLOAT32:
                return FLOAT;
            case INT64:
                return INT64;
            case INT32:
                return INT32;
            case UINT8:
                return UINT8;
            case BOOL:
                return BOOL;
            default:
                return INT8;
        }
    }

    private static Tensor tensor(int type, byte[] values, int[] shape) throws IOException {
        ByteBuffer from = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN);
        if (type == FLOAT) {
            float[] floats = new float[values.length / 4];
            from.asFloatBuffer().get(floats);
            return Tensor.of(floats, shape);
        }
        if (type == INT64) {
            long[] longs = new long[values.length / 8];
            from.asLongBuffer().get(longs);
            return Tensor.of(longs, shape);
        }
        if (type == INT32) {
            int[] ints = new int[values.length / 4];
            from.asIntBuffer().get(ints);
            return Tensor.of(ints, shape);
        }
        if (type == UINT8 || type == INT8 || type == BOOL) {
            Tensor.Type kind = type == UINT8 ? Tensor.Type.UINT8 : type == INT8 ? Tensor.Type.INT8 : Tensor.Type.BOOL;
            return Tensor.bytes(kind, values, shape);
        }
        throw new IOException("a type of tensor that is not known: " + type);
    }

    private static int bounded(long value, int most) throws IOException {
        if (value < 0 || value > most) {
            throw new IOException("a size that no tensor has: " + value);
        }
        return (int) value;
    }

    private static byte[] number(int size, long value) {
        ByteBuffer room = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
        byte[] bytes = new byte[size];
        room.get(bytes);
        return bytes;
    }

    private static int integer(DataInputStream in) throws IOException {
        return Integer.reverseBytes(in.readInt());
    }

    private static long long64(DataInputStream in) throws IOException {
        return Long.reverseBytes(in.readLong());
    }

    /** Reads in pieces, so that a wrong length in a damaged file takes no memory that the file does not fill. */
    private static byte[] bytes(DataInputStream in, int size) throws IOException {
        byte[] bytes = new byte[Math.min(bounded(size, Integer.MAX_VALUE - 16), 1 << 20)];
        int have = 0;
        while (have < size) {
            if (have == bytes.length) {
                bytes = Arrays.copyOf(bytes, (int) Math.min(size, 2L * bytes.length));
            }
            int got = in.read(bytes, have, bytes.length - have);
            if (got < 0) {
                throw new EOFException("the vectors are cut off");
            }
            have += got;
        }
        return bytes;
    }
}
