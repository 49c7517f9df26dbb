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

    static List<Place> of(String file, String side) {
        Map<String, edgekit.phone.loops.Tensor> told;
        try {
            Peer.ONE.send("places " + file + " " + side, new HashMap<String, edgekit.phone.loops.Tensor>());
            told = Peer.ONE.receive();
        } catch (IOException exception) {
            throw new UncheckedIOException(exception);
        }
        List<Place> found = new ArrayList<>();
        for (int i = 0; i < told.size(); i++) {
            long[] one = told.get("" + i).longs();
            int[] sizes = new int[one.length - 1];
            boolean free = false;
            for (int k = 0; k < sizes.length; k++) {
                sizes[k] = (int) Math.abs(one[k + 1]);
                free = free || one[k + 1] < 0;
            }
            String name = edgekit.phone.loops.Tensor.Type.values()[(int) one[0]].name();
            // As the files that edgekit writes: whole numbers have 32 bits.
            found.add(new Place(DataType.valueOf(name.equals("INT64") ? "INT32" : name), sizes, free));
        }
        return found;
    }

    /** An input or output, whose shape may change where an axis is free. */
    static final class Place implements Tensor {
        private final DataType type;
        private final boolean free;
        private int[] shape;

        Place(DataType type, int[] shape, boolean free) {
            this.type = type;
            this.shape = shape;
            this.free = free;
        }

        void resize(int[] wanted) {
            if (!free) {
                throw new IllegalArgumentException("of fixed shape");
            }
            shape = wanted;
        }

        @Override
        public DataType dataType() {
            return type;
        }

        @Override
        public int numBytes() {
            int size = type == DataType.FLOAT32 || type == DataType.INT32 ? 4 : 1;
            for (int axis : shape) {
                size *= axis;
            }
            return size;
        }

        @Override
        public int[] shape() {
            return shape;
        }
    }
}
