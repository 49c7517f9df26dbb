import { Pcg64 } from "./Pcg64.js";

const TAIL = 3.6541528853610088, AREA = 0.00492867323397465524494, STEPS = 2 ** 23;
const { fround } = Math;
const density = (value) => Math.exp(-0.5 * value * value);

/** Of each layer: the steps that lie within the one above; the width of a step; the height. */
const LAYERS = { within: new Uint32Array(256), width: new Float32Array(256), height: new Float32Array(256) };
for (let layer = 255, edge = TAIL; layer > 0; layer--) {
    const above = layer > 1 ? Math.sqrt(-2 * Math.log(AREA / edge + density(edge))) : 0;
    LAYERS.within[layer] = (above / edge) * STEPS;
    LAYERS.width[layer] = edge / STEPS;
    LAYERS.height[layer] = density(edge);
    edge = above;
}
LAYERS.within[0] = (TAIL * density(TAIL) / AREA) * STEPS;
LAYERS.width[0] = AREA / density(TAIL) / STEPS;
LAYERS.height[0] = 1;

/**
 * The random numbers of numpy's default_rng(seed).standard_normal in float32, bit for bit; beyond 3.65 within the last digit.
 * A ziggurat of 256 layers (Marsaglia and Tsang 2000), whose tables follow from where its tail begins.
 */
export class GaussianNoise {
    #random;

    /** @param {number[]} seed as Pcg64's. */
    constructor(seed) {
        this.#random = new Pcg64(seed);
    }

    next() {
        for (;;) {
            const word = this.#random.word(), steps = word >>> 9, at = word & 255, { within, width, height } = LAYERS;
            const value = fround(steps * width[at]) * (word & 256 ? -1 : 1);
            if (steps < within[at]) {
                return value;
            }
            if (at === 0) {
                return (steps >>> 8) & 1 ? -this.#beyond() : this.#beyond();
            }
            const share = fround(fround(height[at - 1] - height[at]) * this.#uniform());
            if (fround(share + height[at]) < density(value)) {
                return value;
            }
        }
    }

    /** A number of the tail. */
    #beyond() {
        for (;;) {
            const more = fround(-fround(1 / TAIL) * fround(Math.log1p(-this.#uniform())));
            const limit = -fround(Math.log1p(-this.#uniform()));
            if (fround(limit + limit) > fround(more * more)) {
                return fround(fround(TAIL) + more);
            }
        }
    }

    #uniform() {
        return (this.#random.word() >>> 8) * 2 ** -24;
    }
}
