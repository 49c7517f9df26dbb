package edgekit.phone.loops;

/**
 * The random numbers of numpy's default_rng(seed).standard_normal in float32, bit for bit; beyond 3.65 within the last digit.
 * A ziggurat of 256 layers (Marsaglia and Tsang 2000), whose tables follow from where its tail begins.
 */
final class GaussianNoise {
    private static final int LAYERS = 256;
    /** Where the tail begins, the area of a layer, and the steps into which a layer is divided. */
    private static final double TAIL = 3.6541528853610088, AREA = 0.00492867323397465524494, STEPS = 1 << 23;

    /** Of each layer: the steps that lie within the one above; the width of a step; the height. */
    private static final int[] WITHIN = new int[LAYERS];

    private static final float[] WIDTH = new float[LAYERS];
    private static final float[] HEIGHT = new float[LAYERS];

    static {
        double edge = TAIL, base = AREA / density(TAIL);
        WITHIN[0] = (int) (edge / base * STEPS);
        WIDTH[0] = (float) (base / STEPS);
        HEIGHT[0] = 1;
        for (int layer = LAYERS - 1; layer > 0; layer--) {
            WIDTH[layer] = (float) (edge / STEPS);
            HEIGHT[layer] = (float) density(edge);
            double above = layer > 1 ? Math.sqrt(-2 * Math.log(AREA / edge + density(edge))) : 0;
            WITHIN[layer] = (int) (above / edge * STEPS);
            edge = above;
        }
    }

    private final Pcg64 random;

    /** @param seed one number, or up to four of a sequence. */
    GaussianNoise(int... seed) {
        random = new Pcg64(seed);
    }

    float next() {
        while (true) {
            int word = random.word(), layer = word & 255, steps = word >>> 9;
            float value = (word & 256) == 0 ? steps * WIDTH[layer] : -steps * WIDTH[layer];
            if (steps < WITHIN[layer]) {
                return value;
            }
            if (layer == 0) {
                return tail((steps >> 8 & 1) == 0 ? 1 : -1);
            }
            float height = (HEIGHT[layer - 1] - HEIGHT[layer]) * uniform() + HEIGHT[layer];
            if (height < density(value)) {
                return value;
            }
        }
    }

    private float tail(int sign) {
        while (true) {
            float beyond = -(float) (1 / TAIL) * (float) Math.log1p(-uniform());
            float limit = -(float) Math.log1p(-uniform());
            if (limit + limit > beyond * beyond) {
                return sign * ((float) TAIL + beyond);
            }
        }
    }

    private float uniform() {
        return (random.word() >>> 8) * 0x1p-24f;
    }

    private static double density(double value) {
        return Math.exp(-0.5 * value * value);
    }
}
