package edgekit.phone.runtime;

import edgekit.phone.loops.Description;
import edgekit.phone.loops.Graph;
import edgekit.phone.loops.Tensor;
import java.io.File;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A part of the model in onnxruntime, through graph_jni.c. */
final class NativeGraph extends Graph {
    private final String[] outputs;
    private long session;

    /** @param library name or path of libonnxruntime.so. */
    NativeGraph(String library, File file, Description.Part part, int threads) {
        session = Native.open(library, file.getPath(), threads);
        outputs = new String[part.outputs.length];
        for (int i = 0; i < outputs.length; i++) {
            outputs[i] = part.outputs[i].name;
        }
    }

    @Override
    public Map<String, Tensor> run(Map<String, Tensor> inputs) {
        String[] names = new String[inputs.size()];
        long[] values = new long[names.length], results = new long[outputs.length];
        List<Tensor> copies = new ArrayList<>();
        try {
            int at = 0;
            for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
                NativeTensor tensor = NativeTensor.of(input.getValue());
                if (tensor != input.getValue()) {
                    copies.add(tensor);
                }
                names[at] = input.getKey();
                values[at++] = tensor.handle();
            }
            Native.run(session, names, values, outputs, results);
        } finally {
            for (Tensor copy : copies) {
                copy.close();
            }
        }
        Map<String, Tensor> made = new LinkedHashMap<>();
        for (int i = 0; i < results.length; i++) {
            made.put(outputs[i], new NativeTensor(results[i]));
        }
        return made;
    }

    @Override
    public void close() {
        Native.close(session);
        session = 0;
    }
}
