package edgekit.phone.loops;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Which position of the sound each token of a text looks at: cross-attention of some heads, and the cheapest way through
 * it (after whisper/timing.py). Sums are those of float32, so that equal values stay equal.
 */
final class WhisperAttention {
    /** Positions of the encoder that the median filter looks at. */
    private static final int MEDIAN = 7;

    private final Map<String, Tensor> cross;

    /** @param cross what the encoder said. */
    WhisperAttention(Map<String, Tensor> cross) {
        this.cross = cross;
    }

    /** How many positions the encoder gave. */
    int positions() {
        return cross.get("cross_key_0").shape()[2];
    }

    /**
     * How much each token looks at each position: normalized over tokens, smoothed over time, averaged over heads.
     *
     * @param queries [heads * count * size]. heads: the layer and head of each.
     * @return [count][positions].
     */
    float[][] of(float[] queries, int[][] heads, int count, int positions) {
        int size = queries.length / (heads.length * count);
        float[][] sum = new float[count][positions];
        float[] keys = null;
        for (int i = 0; i < heads.length; i++) {
            if (keys == null || heads[i][0] != heads[i - 1][0]) {
                keys = cross.get("cross_key_" + heads[i][0]).floats();
            }
            float[][] weights = new float[count][];
            for (int row = 0; row < count; row++) {
                int query = (i * count + row) * size;
                weights[row] = looks(queries, query, size, keys, heads[i][1] * size * positions(), positions);
            }
            normalize(weights);
            for (int row = 0; row < count; row++) {
                smooth(weights[row], sum[row]);
            }
        }
        for (float[] row : sum) {
            for (int j = 0; j < positions; j++) {
                row[j] /= heads.length;
            }
        }
        return sum;
    }

    /**
     * The position where each token looks: the median of its attention, the mean of its heads.
     *
     * @param queries of each token, [heads * size]. heads: the layer and head of each.
     */
    int[] looks(List<float[]> queries, int[][] heads) {
        int count = queries.size(), positions = positions(), size = queries.get(0).length / heads.length;
        double[][] sum = new double[count][positions];
        float[] keys = null;
        for (int i = 0; i < heads.length; i++) {
            if (keys == null || heads[i][0] != heads[i - 1][0]) {
                keys = cross.get("cross_key_" + heads[i][0]).floats();
            }
            for (int row = 0; row < count; row++) {
                float[] weights =
                        looks(queries.get(row), i * size, size, keys, heads[i][1] * size * positions, positions);
                for (int j = 0; j < positions; j++) {
                    sum[row][j] += weights[j];
                }
            }
        }
        int[] medians = new int[count];
        for (int row = 0; row < count; row++) {
            double half = 0, before = 0;
            for (double weight : sum[row]) {
                half += weight / 2;
            }
            while (before + sum[row][medians[row]] < half) {
                before += sum[row][medians[row]++];
            }
        }
        return medians;
    }

    /** The softmax of a query over the positions. Keys lie [size][all positions] from `key` on. */
    private float[] looks(float[] queries, int query, int size, float[] keys, int key, int positions) {
        double[] scores = new double[positions];
        int all = positions();
        for (int d = 0; d < size; d++) {
            float factor = queries[query + d];
            for (int j = 0, from = key + d * all; j < positions; j++) {
                scores[j] += (double) factor * keys[from + j];
            }
        }
        float top = Float.NEGATIVE_INFINITY;
        float[] weights = new float[positions];
        for (int j = 0; j < positions; j++) {
            weights[j] = (float) scores[j];
            top = Math.max(top, weights[j]);
        }
        double mass = 0;
        for (int j = 0; j < positions; j++) {
            weights[j] -= top;
            mass += Math.exp(weights[j]);
        }
        float log = (float) Math.log(mass);
        for (int j = 0; j < positions; j++) {
            weights[j] = (float) Math.exp(weights[j] - log);
        }
        return weights;
    }

    /** To mean 0 and deviation 1 over the tokens. */
    private static void normalize(float[][] weights) {
        int count = weights.length;
        for (int j = 0; j < weights[0].length; j++) {
            float sum = 0, squares = 0;
            for (float[] row : weights) {
                sum += row[j];
            }
            float mean = sum / count;
            for (float[] row : weights) {
                squares += (row[j] - mean) * (row[j] - mean);
            }
            float deviation = (float) Math.sqrt(squares / count) + 1e-9f;
            for (float[] row : weights) {
                row[j] = (row[j] - mean) / deviation;
            }
        }
    }

    /** Adds the running median of a row, which is mirrored at its ends. */
    private static void smooth(float[] row, float[] sum) {
        int count = row.length, reach = Math.min(MEDIAN / 2, count - 1);
        float[] near = new float[2 * reach + 1];
        for (int j = 0; j < count; j++) {
            for (int k = -reach; k <= reach; k++) {
                int at = Math.abs(j + k);
                near[k + reach] = row[at < count ? at : 2 * (count - 1) - at];
            }
            Arrays.sort(near);
            sum[j] += near[reach];
        }
    }

    /**
     * Dynamic time warping (Sakoe and Chiba 1978): the cheapest path from the first corner to the last, each step to the
     * next row, the next column or both.
     *
     * @param gains [rows][columns], costs below zero; `count` rows from row `first` on.
     * @return for each row the first column of the path in it.
     */
    static int[] path(float[][] gains, int first, int count) {
        int length = gains[0].length;
        double[][] total = new double[count + 1][length + 1];
        Arrays.fill(total[0], Double.POSITIVE_INFINITY);
        total[0][0] = 0;
        for (int i = 1; i <= count; i++) {
            total[i][0] = Double.POSITIVE_INFINITY;
            for (int j = 1; j <= length; j++) {
                double before = Math.min(Math.min(total[i - 1][j - 1], total[i - 1][j]), total[i][j - 1]);
                total[i][j] = before - gains[first + i - 1][j - 1];
            }
        }
        int[] begins = new int[count];
        int i = count, j = length;
        while (i > 0 && j > 0) {
            begins[i - 1] = j - 1;
            double both = total[i - 1][j - 1], down = total[i - 1][j], right = total[i][j - 1];
            if (both < down && both < right) {
                i--;
                j--;
            } else if (down < both && down < right) {
                i--;
            } else {
                j--;
            }
        }
        return begins;
    }
}
