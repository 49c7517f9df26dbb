package ai.onnxruntime;

import edgekit.phone.loops.Graph;
import edgekit.phone.loops.Peer;
import edgekit.phone.loops.Tensor;
import java.io.File;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** As onnxruntime-android has it, as far as the modules use it. Python knows a part by the name of its file. */
public class OrtSession implements AutoCloseable {
    private final Graph graph;
    private boolean closed;
    /** Sessions that are not closed. */
    public static int open;

    OrtSession(String file) throws OrtException {
        if (!new File(file).isFile()) {
            throw new OrtException("no file " + file);
        }
        graph = Peer.ONE.graph(new File(file).getName());
        open++;
    }

    public Result run(Map<String, ? extends OnnxTensorLike> inputs) throws OrtException {
        if (closed) {
            throw new IllegalStateException("closed");
        }
        Map<String, Tensor> feeds = new HashMap<>();
        for (Map.Entry<String, ? extends OnnxTensorLike> one : inputs.entrySet()) {
            feeds.put(one.getKey(), ((OnnxTensor) one.getValue()).held);
        }
        Map<String, OnnxValue> out = new LinkedHashMap<>();
        for (Map.Entry<String, Tensor> one : graph.run(feeds).entrySet()) {
            out.put(one.getKey(), new OnnxTensor(one.getValue()));
        }
        return new Result(out);
    }

    @Override
    public void close() throws OrtException {
        if (closed) {
            throw new IllegalStateException("Trying to close an already closed OrtSession.");
        }
        closed = true;
        open--;
    }

    /** As onnxruntime-android has it. */
    public static class SessionOptions implements AutoCloseable {
        public void setIntraOpNumThreads(int threads) throws OrtException {}

        public void setInterOpNumThreads(int threads) throws OrtException {}

        public void addConfigEntry(String key, String value) throws OrtException {}

        @Override
        public void close() {}
    }

    /** As onnxruntime-android has it. */
    public static class Result implements AutoCloseable, Iterable<Map.Entry<String, OnnxValue>> {
        private final List<Map.Entry<String, OnnxValue>> entries;

        Result(Map<String, OnnxValue> values) {
            entries = new ArrayList<>(values.entrySet());
        }

        @Override
        public Iterator<Map.Entry<String, OnnxValue>> iterator() {
            return entries.iterator();
        }

        @Override
        public void close() {
            for (Map.Entry<String, OnnxValue> entry : entries) {
                entry.getValue().close();
            }
        }
    }
}
