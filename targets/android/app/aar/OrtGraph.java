package edgekit.phone.runtime;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import edgekit.phone.loops.Graph;
import edgekit.phone.loops.Tensor;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One part of the model in ONNX Runtime, opened by path. What it gives stays in the runtime's memory until looked at. */
final class OrtGraph extends Graph {
    private final OrtEnvironment environment;
    private final OrtSession session;

    OrtGraph(File file, int threads) {
        try {
            environment = OrtEnvironment.getEnvironment();
            environment.setTelemetry(false);
            try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
                options.setIntraOpNumThreads(threads);
                options.setInterOpNumThreads(1);
                // The threads of a part do not spin behind its run: the next part needs their processors.
                options.addConfigEntry("session.force_spinning_stop", "1");
                options.setCPUArenaAllocator(false);
                options.setMemoryPatternOptimization(false);
                session = environment.createSession(file.getPath(), options);
            }
        } catch (OrtException exception) {
            throw new IllegalStateException("ONNX Runtime cannot open " + file.getName(), exception);
        }
    }

    @Override
    public Map<String, Tensor> run(Map<String, Tensor> inputs) {
        Map<String, OnnxTensor> feeds = new HashMap<>();
        List<OnnxTensor> copies = new ArrayList<>();
        Map<String, Tensor> made = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
                if (input.getValue() instanceof Held) {
                    feeds.put(input.getKey(), ((Held) input.getValue()).tensor);
                } else {
                    copies.add(copied(input.getValue()));
                    feeds.put(input.getKey(), copies.get(copies.size() - 1));
                }
            }
            // Not closed as a whole: each of its tensors is, by who takes it.
            for (Map.Entry<String, OnnxValue> output : session.run(feeds)) {
                made.put(output.getKey(), new Held((OnnxTensor) output.getValue()));
            }
        } catch (OrtException exception) {
            throw new IllegalStateException("ONNX Runtime cannot run the model", exception);
        } finally {
            for (OnnxTensor copy : copies) {
                copy.close();
            }
        }
        return made;
    }

    private OnnxTensor copied(Tensor tensor) throws OrtException {
        int[] sizes = tensor.shape();
        long[] shape = new long[sizes.length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = sizes[i];
        }
        switch (tensor.type()) {
            case FLOAT32:
                return OnnxTensor.createTensor(environment, FloatBuffer.wrap(tensor.floats()), shape);
            case INT64:
                return OnnxTensor.createTensor(environment, LongBuffer.wrap(tensor.longs()), shape);
            case INT32:
                return OnnxTensor.createTensor(environment, IntBuffer.wrap(tensor.ints()), shape);
            default:
                OnnxJavaType type = OnnxJavaType.valueOf(tensor.type().name()); // UINT8, INT8, BOOL
                // The runtime wants memory outside the heap for these.
                ByteBuffer bytes = ByteBuffer.allocateDirect(tensor.size()).order(ByteOrder.nativeOrder());
                bytes.put(tensor.bytes());
                bytes.rewind();
                return OnnxTensor.createTensor(environment, bytes, shape, type);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException exception) {
            throw new IllegalStateException("ONNX Runtime cannot close the model", exception);
        }
    }

    /** An output that ONNX Runtime holds. */
    private static final class Held extends Tensor {
        private final OnnxTensor tensor;
        private boolean closed;

        Held(OnnxTensor tensor) {
            super(type(tensor.getInfo().type), sizes(tensor.getInfo().getShape()));
            this.tensor = tensor;
        }

        private static Type type(OnnxJavaType type) {
            switch (type) {
                case FLOAT:
                    return Type.FLOAT32;
                case INT64:
                    return Type.INT64;
                case INT32:
                    return Type.INT32;
                case BOOL:
                    return Type.BOOL;
                case UINT8:
                    return Type.UINT8;
                case INT8:
                    return Type.INT8;
                default:
                    throw new IllegalStateException("the model gives " + type + ", which no loop knows");
            }
        }

        private static int[] sizes(long[] shape) {
            int[] sizes = new int[shape.length];
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = Math.toIntExact(shape[i]);
            }
            return sizes;
        }

        @Override
        public float[] floats() {
            if (type() != Type.FLOAT32) {
                return super.floats();
            }
            float[] values = new float[size()];
            tensor.getFloatBuffer().get(values);
            return values;
        }

        @Override
        public long[] longs() {
            if (type() != Type.INT64) {
                return super.longs();
            }
            long[] values = new long[size()];
            tensor.getLongBuffer().get(values);
            return values;
        }

        @Override
        public int[] ints() {
            if (type() != Type.INT32) {
                return super.ints();
            }
            int[] values = new int[size()];
            tensor.getIntBuffer().get(values);
            return values;
        }

        @Override
        public byte[] bytes() {
            if (type() != Type.UINT8 && type() != Type.INT8 && type() != Type.BOOL) {
                return super.bytes();
            }
            byte[] values = new byte[size()];
            tensor.getByteBuffer().get(values);
            return values;
        }

        @Override
        public void close() {
            if (!closed) {
                tensor.close();
            }
            closed = true;
        }
    }
}
