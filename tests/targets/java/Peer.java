package edgekit.phone.loops;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The other end of tests/_jvm.py: a Python process that runs the parts of a real bundle, and keeps what they give. */
public final class Peer {
    public static final Peer ONE = new Peer();
    private final DataInputStream in;
    private final DataOutputStream out;
    /** Tensors that were given and not closed: a loop that ends leaves none. */
    public int open;

    private Peer() {
        in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
    }

    public Map<String, Tensor> receive() throws IOException {
        return Vectors.read(in);
    }

    public void send(String verb, Map<String, Tensor> tensors) throws IOException {
        Map<String, Tensor> all = new LinkedHashMap<>();
        all.put("!" + verb, Tensor.of(new long[0], 0));
        all.putAll(tensors);
        Vectors.write(all, out);
    }

    public Graph graph(final String part) {
        return new Graph() {
            @Override
            public Map<String, Tensor> run(Map<String, Tensor> inputs) {
                try {
                    return made(part, inputs);
                } catch (IOException exception) {
                    throw new UncheckedIOException(exception);
                }
            }

            @Override
            public void reset() {
                try {
                    send("reset " + part, new HashMap<String, Tensor>());
                } catch (IOException exception) {
                    throw new UncheckedIOException(exception);
                }
            }
        };
    }

    private Map<String, Tensor> made(String part, Map<String, Tensor> inputs) throws IOException {
        Map<String, Tensor> given = new LinkedHashMap<>();
        for (Map.Entry<String, Tensor> one : inputs.entrySet()) {
            if (one.getValue() instanceof Kept) {
                given.put("@" + one.getKey(), ((Kept) one.getValue()).handle());
            } else {
                given.put(one.getKey(), one.getValue());
            }
        }
        send("run " + part, given);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        for (Map.Entry<String, Tensor> one : receive().entrySet()) {
            long[] told = one.getValue().longs();
            int[] shape = new int[told.length - 2];
            for (int i = 0; i < shape.length; i++) {
                shape[i] = (int) told[i + 2];
            }
            outputs.put(one.getKey(), new Kept(told[0], Tensor.Type.values()[(int) told[1]], shape));
        }
        open += outputs.size();
        return outputs;
    }

    /** A tensor that Python holds. */
    private final class Kept extends Tensor {
        private final long number;
        private Tensor values;
        private boolean closed;

        Kept(long number, Type type, int[] shape) {
            super(type, shape);
            this.number = number;
        }

        Tensor handle() {
            if (closed) {
                throw new IllegalStateException("used after it was closed");
            }
            return Tensor.of(new long[] {number}, 1);
        }

        private Tensor values() {
            try {
                if (values == null) {
                    Map<String, Tensor> asked = new HashMap<>();
                    asked.put("@values", handle());
                    send("get", asked);
                    values = receive().get("values");
                }
                return values;
            } catch (IOException exception) {
                throw new UncheckedIOException(exception);
            }
        }

        @Override
        public float[] floats() {
            return values().floats();
        }

        @Override
        public long[] longs() {
            return values().longs();
        }

        @Override
        public int[] ints() {
            return values().ints();
        }

        @Override
        public byte[] bytes() {
            return values().bytes();
        }

        @Override
        public void close() {
            if (closed) {
                return;
            }
            try {
                Map<String, Tensor> asked = new HashMap<>();
                asked.put("@values", handle());
                send("free", asked);
            } catch (IOException exception) {
                throw new UncheckedIOException(exception);
            }
            closed = true;
            open--;
        }
    }
}
