package org.tensorflow.lite;

import edgekit.phone.loops.Graph;
import edgekit.phone.loops.Peer;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** As LiteRT has it, as far as the modules use it. Python knows a part by the name of its file, and its tensors by place. */
public final class Interpreter implements AutoCloseable {
    /** As LiteRT has it. */
    public static class Options {
        public Options setNumThreads(int threads) {
            return this;
        }
    }

    private final Graph graph;
    private final List<Places.Place> inputs;
    private final List<Places.Place> outputs;

    public Interpreter(File file, Options options) {
        graph = Peer.ONE.graph(file.getName());
        graph.reset();
        inputs = Places.of(file.getName(), "inputs");
        outputs = Places.of(file.getName(), "outputs");
    }

    public Tensor getInputTensor(int i) {
        return inputs.get(i);
    }

    public Tensor getOutputTensor(int i) {
        return outputs.get(i);
    }

    public void resizeInput(int i, int[] shape) {
        inputs.get(i).resize(shape);
    }

    public void allocateTensors() {}

    public void runForMultipleInputsOutputs(Object[] given, Map<Integer, Object> wanted) {
        Map<String, edgekit.phone.loops.Tensor> feeds = new LinkedHashMap<>();
        for (int i = 0; i < given.length; i++) {
            feeds.put("#" + i, tensor(inputs.get(i), (ByteBuffer) given[i]));
        }
        int i = 0;
        for (edgekit.phone.loops.Tensor one : graph.run(feeds).values()) {
            ByteBuffer room = (ByteBuffer) wanted.get(i++);
            if (one.type() == edgekit.phone.loops.Tensor.Type.FLOAT32) {
                room.asFloatBuffer().put(one.floats());
            } else if (one.type() == edgekit.phone.loops.Tensor.Type.INT64) {
                for (long value : one.longs()) {
                    room.putInt((int) value);
                }
            } else {
                room.put(one.bytes());
            }
            one.close();
        }
    }

    private static edgekit.phone.loops.Tensor tensor(Tensor like, ByteBuffer from) {
        if (from.position() != 0 || from.order() != ByteOrder.nativeOrder() || from.remaining() != like.numBytes()) {
            throw new IllegalArgumentException("a buffer of another size or order");
        }
        if (like.dataType() == DataType.FLOAT32) {
            float[] values = new float[from.remaining() / 4];
            from.asFloatBuffer().get(values);
            return edgekit.phone.loops.Tensor.of(values, like.shape());
        }
        if (like.dataType() == DataType.INT32) {
            long[] values = new long[from.remaining() / 4];
            for (int i = 0; i < values.length; i++) {
                values[i] = from.getInt();
            }
            return edgekit.phone.loops.Tensor.of(values, like.shape());
        }
        byte[] values = new byte[from.remaining()];
        from.get(values);
        return like.dataType() == DataType.INT8
                ? edgekit.phone.loops.Tensor.signed(values, like.shape())
                : edgekit.phone.loops.Tensor.unsigned(values, like.shape());
    }

    @Override
    public void close() {}
}
