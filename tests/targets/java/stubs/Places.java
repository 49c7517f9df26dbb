package org.tensorflow.lite;

import edgekit.phone.loops.Peer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Types and shapes of a part's inputs or outputs, by place. */
final class Places {
    private Places() {}

    static List<Tensor> of(String file, String side) {
        Map<String, edgekit.phone.loops.Tensor> told;
        try {
            Peer.ONE.send("places " + file + " " + side, new HashMap<String, edgekit.phone.loops.Tensor>());
            told = Peer.ONE.receive();
        } catch (IOException exception) {
            throw new UncheckedIOException(exception);
        }
        List<Tensor> found = new ArrayList<>();
        for (int i = 0; i < told.size(); i++) {
            long[] one = told.get("" + i).longs();
            int[] shape = new int[one.length - 1];
            int size = 1;
            for (int k = 0; k < shape.length; k++) {
                shape[k] = (int) one[k + 1];
                size *= shape[k];
            }
            String name = edgekit.phone.loops.Tensor.Type.values()[(int) one[0]].name();
            // As the files that edgekit writes: whole numbers have 32 bits.
            DataType type = DataType.valueOf(name.equals("INT64") ? "INT32" : name);
            int bytes = type == DataType.FLOAT32 || type == DataType.INT32 ? 4 * size : size;
            found.add(new Tensor() {
                @Override
                public DataType dataType() {
                    return type;
                }

                @Override
                public int numBytes() {
                    return bytes;
                }

                @Override
                public int[] shape() {
                    return shape;
                }
            });
        }
        return found;
    }
}
