package edgekit.phone.loops;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Does this phone compute what the fp32 reference computed? The golden input goes through the whole model; the outputs of
 * the first calls of every part are sampled and compared with what was recorded when the bundle was made.
 */
public final class SelfTest {
    /** Calls that are compared, and the most values of an output that were kept. */
    private static final int CALLS = 2, KEPT = 2048;

    /** The errors that were measured. */
    public static final class Result {
        /** Part to its distance from the reference: relative, root mean square. Infinite where outputs are missing. */
        public final Map<String, Double> errors;
        /** Part to the largest distance that its precision, and what was measured at the export, explain. */
        public final Map<String, Double> limits;
        /** The answer to the golden input, and what it should be. */
        public final String answer;

        public final String expected;

        Result(Map<String, Double> errors, Map<String, Double> limits, String answer, String expected) {
            this.errors = errors;
            this.limits = limits;
            this.answer = answer;
            this.expected = expected;
        }

        /** Whether every part is near enough. The answer may differ: phones' kernels round otherwise than a server's. */
        public boolean passed() {
            for (Map.Entry<String, Double> part : errors.entrySet()) {
                if (!(part.getValue() <= limits.get(part.getKey()))) {
                    return false;
                }
            }
            return !errors.isEmpty();
        }
    }

    /** Something that answers the golden input through these graphs. */
    public interface Answering {
        String answer(Map<String, Graph> parts);
    }

    private SelfTest() {}

    /**
     * @param parts the graphs, which are not closed.
     * @param reference "PART/CALL/OUTPUT" to the sampled values of the fp32 reference.
     */
    public static Result run(
            Map<String, Graph> parts, Map<String, Tensor> reference, Description description, Answering model) {
        Map<String, float[]> seen = new HashMap<>();
        Map<String, Graph> watched = new LinkedHashMap<>();
        for (Map.Entry<String, Graph> part : parts.entrySet()) {
            watched.put(part.getKey(), new Recorder(part.getKey(), part.getValue(), seen));
        }
        String answer = model.answer(watched);
        Map<String, Double> errors = new LinkedHashMap<>(), limits = new LinkedHashMap<>();
        for (String part : parts.keySet()) {
            errors.put(part, distance(part + "/", seen, reference));
            limits.put(part, Json.number(description.limits.get(part)));
        }
        return new Result(errors, limits, answer, description.answer);
    }

    /** The largest distance of an output of a part; infinite where the reference has none of it. */
    private static double distance(String prefix, Map<String, float[]> seen, Map<String, Tensor> reference) {
        double most = -1;
        for (Map.Entry<String, Tensor> entry : reference.entrySet()) {
            if (entry.getKey().startsWith(prefix)) {
                most = Math.max(most, distance(seen.get(entry.getKey()), entry.getValue().floats()));
            }
        }
        return most < 0 ? Double.POSITIVE_INFINITY : most;
    }

    /** Root mean square of the difference, relative to that of the reference. A NaN must never compare as small. */
    private static double distance(float[] values, float[] expected) {
        if (values == null || values.length != expected.length) {
            return Double.POSITIVE_INFINITY;
        }
        double off = 0, size = 0;
        for (int i = 0; i < values.length; i++) {
            double difference = values[i] - (double) expected[i];
            off += difference * difference;
            size += expected[i] * (double) expected[i];
        }
        double error = Math.sqrt(off) / (size > 0 ? Math.sqrt(size) : 1.0);
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }

    /** A graph that remembers sampled outputs of its first calls. */
    private static final class Recorder extends Graph {
        private final String name;
        private final Graph graph;
        private final Map<String, float[]> seen;
        private int calls;

        Recorder(String name, Graph graph, Map<String, float[]> seen) {
            this.name = name;
            this.graph = graph;
            this.seen = seen;
        }

        @Override
        public Map<String, Tensor> run(Map<String, Tensor> inputs) {
            Map<String, Tensor> outputs = graph.run(inputs);
            if (calls < CALLS) {
                for (Map.Entry<String, Tensor> entry : outputs.entrySet()) {
                    seen.put(name + "/" + calls + "/" + entry.getKey(), sampled(entry.getValue()));
                }
            }
            calls++;
            return outputs;
        }

        @Override
        public void reset() {
            graph.reset();
        }
    }

    private static float[] sampled(Tensor tensor) {
        int size = tensor.size(), step = Math.max(1, (size + KEPT - 1) / KEPT);
        return every(tensor, step, new float[(size + step - 1) / step]);
    }

    /** Values [0], [step], ... of any type, as floats. */
    private static float[] every(Tensor tensor, int step, float[] into) {
        switch (tensor.type()) {
            case FLOAT32:
                float[] floats = tensor.floats();
                for (int i = 0; i < into.length; i++) {
                    into[i] = floats[i * step];
                }
                return into;
            case INT64:
                long[] longs = tensor.longs();
                for (int i = 0; i < into.length; i++) {
                    into[i] = longs[i * step];
                }
                return into;
            case INT32:
                int[] ints = tensor.ints();
                for (int i = 0; i < into.length; i++) {
                    into[i] = ints[i * step];
                }
                return into;
            default:
                byte[] bytes = tensor.bytes();
                int mask = tensor.type() == Tensor.Type.UINT8 ? 255 : -1;
                for (int i = 0; i < into.length; i++) {
                    into[i] = bytes[i * step] & mask;
                }
                return into;
        }
    }
}
