package edgekit.phone.loops;

/**
 * The random numbers of numpy's default_rng(seed), bit for bit: a seed gives the same samples as on the machine that the
 * model was tested on. PCG XSL RR 128/64 (O'Neill 2014), seeded by numpy's SeedSequence.
 */
public final class Pcg64 {
    private static final long MULTIPLIER_HIGH = 0x2360ed051fc65da4L;
    private static final long MULTIPLIER_LOW = 0x4385df649fccf645L;
    private long high;
    private long low;
    private final long increaseHigh;
    private final long increaseLow;
    /** The upper half of a number whose lower half was drawn; -1: none. */
    private long half = -1;

    /** @param seed one number, or up to four of a sequence. */
    public Pcg64(int... seed) {
        int[] words = words(pool(seed));
        long[] state = new long[4];
        for (int i = 0; i < 4; i++) {
            state[i] = (words[2 * i] & 0xffffffffL) | ((long) words[2 * i + 1] << 32);
        }
        increaseHigh = state[2] << 1 | state[3] >>> 63;
        increaseLow = state[3] << 1 | 1;
        step();
        add(state[0], state[1]);
        step();
    }

    /** In [0, 1). */
    public double uniform() {
        return (bits() >>> 11) * 0x1p-53;
    }

    /** 32 random bits; of 64 the lower half comes first. */
    int word() {
        long drawn = half;
        half = -1;
        if (drawn < 0) {
            drawn = bits();
            half = drawn >>> 32;
        }
        return (int) drawn;
    }

    private long bits() {
        step();
        return Long.rotateRight(high ^ low, (int) (high >>> 58));
    }

    /** Of the standard Gumbel distribution. */
    public double gumbel() {
        while (true) {
            double share = 1.0 - uniform();
            if (share < 1.0) {
                return -Math.log(-Math.log(share));
            }
        }
    }

    private void step() {
        long product = low * MULTIPLIER_LOW;
        high = multiplyHigh(low, MULTIPLIER_LOW) + high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH;
        low = product;
        add(increaseHigh, increaseLow);
    }

    private void add(long otherHigh, long otherLow) {
        low += otherLow;
        high += otherHigh + (Long.compareUnsigned(low, otherLow) < 0 ? 1 : 0);
    }

    /** The upper half of an unsigned product; Math.multiplyHigh needs Android 12. */
    private static long multiplyHigh(long x, long y) {
        long a = x >>> 32, b = x & 0xffffffffL, c = y >>> 32, d = y & 0xffffffffL;
        long middle = a * d + (b * d >>> 32);
        return a * c + (middle >>> 32) + ((middle & 0xffffffffL) + b * c >>> 32);
    }

    private static int[] pool(int[] seed) {
        int[] pool = new int[4];
        int[] hash = {0x43b0d7e5};
        for (int i = 0; i < 4; i++) {
            pool[i] = hashed(i < seed.length ? seed[i] : 0, hash, 0x931e8875);
        }
        for (int from = 0; from < 4; from++) {
            for (int to = 0; to < 4; to++) {
                if (from != to) {
                    int mixed = 0xca01f9dd * pool[to] - 0x4973f715 * hashed(pool[from], hash, 0x931e8875);
                    pool[to] = mixed ^ mixed >>> 16;
                }
            }
        }
        return pool;
    }

    private static int[] words(int[] pool) {
        int[] words = new int[8];
        int[] hash = {0x8b51f9dd};
        for (int i = 0; i < 8; i++) {
            words[i] = hashed(pool[i % 4], hash, 0x58f38ded);
        }
        return words;
    }

    private static int hashed(int value, int[] hash, int multiplier) {
        int mixed = value ^ hash[0];
        hash[0] *= multiplier;
        mixed *= hash[0];
        return mixed ^ mixed >>> 16;
    }
}
