import { Tensors } from "./Tensors.js";

const { fround } = Math;
/** Positions of the encoder that the median filter looks at. */
const MEDIAN = 7, FOUR = [0, 1, 2, 3];

/**
 * Which position of the sound each token of a text looks at: cross-attention of some heads, and the cheapest way through it
 * (after whisper/timing.py). Sums are those of float32, so that equal values stay equal.
 */
export class WhisperAttention {
    #cross; #heads; #scores;

    /** @param {number[][]} heads the layer and head of each alignment query. @param cross what the encoder said. */
    constructor(heads, cross) {
        [this.#cross, this.#heads] = [cross, heads];
        /** How many positions the encoder gave. */
        this.positions = cross.cross_key_0.shape[2];
        this.#scores = new Float64Array(this.positions);
    }

    /** The position where each token looks, by its queries [heads * size]: the median of the mean of the heads. */
    async looks(queries) {
        const size = queries[0].length / this.#heads.length, look = new Float32Array(this.positions);
        const sums = queries.map(() => new Float64Array(this.positions));
        await this.#planes(size, (plane, i) => {
            for (let row = 0; row < queries.length; row++) {
                this.#look(queries[row].subarray(i * size, (i + 1) * size), plane, look);
                for (let j = 0; j < look.length; j++) sums[row][j] += look[j];
            }
        });
        return sums.map((row) => {
            const half = row.reduce((sum, value) => sum + value / 2, 0);
            let median = 0;
            for (let before = 0; before + row[median] < half; median++) before += row[median];
            return median;
        });
    }

    /**
     * How much each token looks at each position that is `heard`, by queries [heads * count * size]: normalized over tokens,
     * smoothed over time, averaged over heads.
     */
    async weights(queries, count, heard) {
        const size = queries.length / (this.#heads.length * count);
        const [sums, looks] = [0, 1].map(() => Array.from({ length: count }, () => new Float32Array(heard)));
        await this.#planes(size, (plane, i) => {
            for (let row = 0, at = i * count * size; row < count; row++, at += size) {
                this.#look(queries.subarray(at, at + size), plane, looks[row]);
            }
            WhisperAttention.#normalize(looks);
            for (let row = 0; row < count; row++) WhisperAttention.#addSmooth(looks[row], sums[row]);
        });
        return sums.map((row) => row.map((value) => value / this.#heads.length));
    }

    /** Hands over the keys [size][positions] of each head; those of a layer are read once for heads that lie together. */
    async #planes(size, take) {
        const length = size * this.positions;
        let keys = null, read = -1;
        for (const [i, [layer, head]] of this.#heads.entries()) {
            keys = layer === read ? keys : await Tensors.read(this.#cross[`cross_key_${layer}`]);
            read = layer;
            take(keys.subarray(head * length, (head + 1) * length), i);
        }
    }

    /** The softmax of a query over the positions that `look` has room for. Keys lie [size][all positions]. */
    #look(query, keys, look) {
        const heard = look.length, scores = this.#scores.subarray(0, heard).fill(0);
        for (let d = 0; d < query.length; d += 4) { // four at once take less than half the time
            const [a, b, c, e] = FOUR.map((i) => query[d + i] ?? 0), size = query.length - 1;
            const [k, l, m, n] = FOUR.map((i) => Math.min(d + i, size) * this.positions);
            for (let j = 0; j < heard; j++) {
                scores[j] = scores[j] + a * keys[k + j] + b * keys[l + j] + c * keys[m + j] + e * keys[n + j];
            }
        }
        look.set(scores);
        let top = -Infinity, sum = 0;
        for (let j = 0; j < heard; j++) top = Math.max(top, look[j]);
        for (let j = 0; j < heard; j++) sum += Math.exp((look[j] = fround(look[j] - top)));
        const mass = fround(Math.log(sum));
        for (let j = 0; j < heard; j++) look[j] = Math.exp(fround(look[j] - mass));
    }

    /** To mean 0 and deviation 1 over the tokens. */
    static #normalize(rows) {
        for (let j = 0; j < rows[0].length; j++) {
            let mean = 0, squares = 0;
            for (const row of rows) mean = fround(mean + row[j]);
            mean = fround(mean / rows.length);
            for (const row of rows) {
                row[j] -= mean;
                squares = fround(squares + fround(row[j] * row[j]));
            }
            const deviation = fround(fround(Math.sqrt(fround(squares / rows.length))) + fround(1e-9));
            for (const row of rows) row[j] /= deviation;
        }
    }

    /** Adds the running median of a row, which is mirrored at its ends. */
    static #addSmooth(row, sum) {
        const count = row.length, reach = Math.min(MEDIAN >> 1, count - 1), near = new Float32Array(2 * reach + 1);
        for (let j = 0; j < count; j++) {
            for (let k = 0; k < near.length; k++) {
                const at = Math.abs(j + k - reach), value = row[at < count ? at : 2 * (count - 1) - at];
                let place = k;
                for (; place > 0 && near[place - 1] > value; place--) near[place] = near[place - 1];
                near[place] = value;
            }
            sum[j] += near[reach];
        }
    }

    /**
     * Dynamic time warping (Sakoe and Chiba 1978): where each row begins in the cheapest path from the first corner to the
     * last, each step to the next row, the next column or both. Gains [rows][columns] are costs below zero.
     */
    static path(gains) {
        const count = gains.length, length = gains[0].length, width = length + 1, begins = new Int32Array(count);
        const total = new Float64Array((count + 1) * width).fill(Infinity);
        total[0] = 0;
        for (let i = 1; i <= count; i++) {
            for (let j = 1, at = i * width + 1; j <= length; j++, at++) {
                total[at] = Math.min(total[at - width - 1], total[at - width], total[at - 1]) - gains[i - 1][j - 1];
            }
        }
        for (let i = count, j = length; i > 0 && j > 0; ) {
            begins[i - 1] = j - 1;
            const at = i * width + j, both = total[at - width - 1], down = total[at - width], right = total[at - 1];
            const steep = down < both && down < right, diagonal = both < down && both < right;
            i -= steep || diagonal ? 1 : 0;
            j -= steep ? 0 : 1;
        }
        return begins;
    }
}
