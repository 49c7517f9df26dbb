const UP = 2 ** 16, DOWN = 2 ** -16;
const [M0, M1, M2, M3, M4, M5, M6, M7] = limbs(0x2360ed051fc65da44385df649fccf645n);

/** The eight 16-bit words of a number of 128 bits, the lowest first: their products are exact in doubles. */
function limbs(number) {
    return Float64Array.from({ length: 8 }, (_, i) => Number((number >> BigInt(16 * i)) & 0xffffn));
}

/**
 * The random numbers of numpy's default_rng(seed), bit for bit: a seed gives the same samples as on the machine that the
 * model was tested on. PCG XSL RR 128/64 (O'Neill 2014), seeded by numpy's SeedSequence.
 */
export class Pcg64 {
    #state;
    #increase;
    #upper = 0;
    #lower = 0;
    /** The upper half of a number whose lower half was drawn; null: there is none. */
    #half = null;

    /** @param {number[]} seed a number, or up to four of a sequence. */
    constructor(seed) {
        const [high, low, highStep, lowStep] = Pcg64.#words(Pcg64.#pool(seed));
        const increase = (((highStep << 64n) | lowStep) << 1n) | 1n;
        this.#increase = limbs(increase);
        this.#state = limbs(increase + ((high << 64n) | low));
        this.#step();
    }

    /** In [0, 1). */
    uniform() {
        this.#draw();
        return (this.#upper * 2 ** 21 + (this.#lower >>> 11)) * 2 ** -53;
    }

    /** 32 random bits; of 64 the lower half comes first. */
    word() {
        const drawn = this.#half;
        if (drawn !== null) {
            this.#half = null;
            return drawn;
        }
        this.#draw();
        this.#half = this.#upper;
        return this.#lower;
    }

    /** Of the standard Gumbel distribution. */
    gumbel() {
        for (;;) {
            const share = 1 - this.uniform();
            if (share < 1) {
                return -Math.log(-Math.log(share));
            }
        }
    }

    /** 64 random bits, in two halves. */
    #draw() {
        this.#step();
        const s = this.#state, high = (s[7] << 16) | s[6], turn = (high >>> 26) & 31;
        let upper = high ^ ((s[3] << 16) | s[2]), lower = ((s[5] << 16) | s[4]) ^ ((s[1] << 16) | s[0]);
        if (high < 0) {
            [upper, lower] = [lower, upper];
        }
        this.#upper = (turn ? (upper >>> turn) | (lower << (32 - turn)) : upper) >>> 0;
        this.#lower = (turn ? (lower >>> turn) | (upper << (32 - turn)) : lower) >>> 0;
    }

    /** Times the multiplier, plus the increase; written out, since a window at a temperature draws millions of numbers. */
    #step() {
        const state = this.#state, c = this.#increase;
        const s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3], s4 = state[4], s5 = state[5], s6 = state[6];
        let sum = s0 * M0 + c[0], carry = Math.floor(sum * DOWN);
        state[0] = sum - carry * UP;
        sum = s0 * M1 + s1 * M0 + c[1] + carry;
        state[1] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M2 + s1 * M1 + s2 * M0 + c[2] + carry;
        state[2] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M3 + s1 * M2 + s2 * M1 + s3 * M0 + c[3] + carry;
        state[3] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M4 + s1 * M3 + s2 * M2 + s3 * M1 + s4 * M0 + c[4] + carry;
        state[4] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M5 + s1 * M4 + s2 * M3 + s3 * M2 + s4 * M1 + s5 * M0 + c[5] + carry;
        state[5] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M6 + s1 * M5 + s2 * M4 + s3 * M3 + s4 * M2 + s5 * M1 + s6 * M0 + c[6] + carry;
        state[6] = sum - (carry = Math.floor(sum * DOWN)) * UP;
        sum = s0 * M7 + s1 * M6 + s2 * M5 + s3 * M4 + s4 * M3 + s5 * M2 + s6 * M1 + state[7] * M0 + c[7] + carry;
        state[7] = sum - Math.floor(sum * DOWN) * UP;
    }

    static #pool(seed) {
        const hash = { value: 0x43b0d7e5 };
        const pool = [0, 1, 2, 3].map((i) => Pcg64.#hash(seed[i] ?? 0, hash, 0x931e8875));
        for (let from = 0; from < 4; from++) {
            for (let to = 0; to < 4; to++) {
                if (from !== to) {
                    const other = Math.imul(0x4973f715, Pcg64.#hash(pool[from], hash, 0x931e8875));
                    const mixed = (Math.imul(0xca01f9dd, pool[to]) - other) | 0;
                    pool[to] = mixed ^ (mixed >>> 16);
                }
            }
        }
        return pool;
    }

    /** Four numbers of 64 bits. */
    static #words(pool) {
        const hash = { value: 0x8b51f9dd };
        const words = Array.from({ length: 8 }, (_, i) => BigInt(Pcg64.#hash(pool[i % 4], hash, 0x58f38ded) >>> 0));
        return [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
    }

    static #hash(value, hash, multiplier) {
        const mixed = value ^ hash.value;
        hash.value = Math.imul(hash.value, multiplier);
        const product = Math.imul(mixed, hash.value);
        return product ^ (product >>> 16);
    }
}
