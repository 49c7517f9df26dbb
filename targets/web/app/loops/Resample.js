import { ResampleWeights } from "./ResampleWeights.js";

const PRECISION = 32 - 8 - 2;

/**
 * Resizing with antialiasing, bit for bit as Pillow 13's Image.resize does it: separable filters whose support grows with
 * the reduction, weights in whole numbers of 22 bits, rounded to 8 bits after each pass. The vertical pass comes first
 * where a picture loses far more height than width (before Pillow 13, never).
 */
export class Resample {
    /** RGB pixels [height, width, 3] at another size; filter: "bilinear" or "bicubic". */
    static resize(rgb, height, width, newHeight, newWidth, filter) {
        const across = (all, rows) => Resample.#pass(all, rows, width, 3, newWidth, filter);
        const down = (all, columns) => Resample.#pass(all, 1, height, 3 * columns, newHeight, filter);
        return height > newHeight && height - newHeight > 2 * (width - newWidth)
            ? across(down(rgb, width), newHeight)
            : down(across(rgb, height), newWidth);
    }

    /** Throws where bytes are not a picture of this size. */
    static check(rgb, height, width) {
        if (!(height >= 1 && width >= 1 && rgb.length === height * width * 3)) {
            throw new RangeError(`${rgb.length} bytes are not ${height} x ${width} RGB pixels`);
        }
    }

    /** Values [outer, size, inner], of whole pixels, become [outer, newSize, inner]. */
    static #pass(values, outer, size, inner, newSize, filter) {
        if (size === newSize) {
            return values;
        }
        const { first, of } = new ResampleWeights(size, 0, size, newSize, filter), whole = of.map(Resample.#round);
        const out = new Uint8Array(outer * newSize * inner);
        for (let block = 0, to = 0; block < outer; block++) {
            for (let i = 0; i < newSize; i++) {
                for (let k = 0, from = (block * size + first[i]) * inner; k < inner; k += 3, to += 3) {
                    Resample.#sum(values, from + k, inner, whole[i], out, to);
                }
            }
        }
        return out;
    }

    static #sum(values, from, step, weights, out, to) {
        let red = 1 << (PRECISION - 1), green = red, blue = red;
        for (let n = 0, at = from; n < weights.length; n++, at += step) {
            const weight = weights[n];
            red = (red + Math.imul(values[at], weight)) | 0;
            green = (green + Math.imul(values[at + 1], weight)) | 0;
            blue = (blue + Math.imul(values[at + 2], weight)) | 0;
        }
        out[to] = Math.max(0, Math.min(255, red >> PRECISION));
        out[to + 1] = Math.max(0, Math.min(255, green >> PRECISION));
        out[to + 2] = Math.max(0, Math.min(255, blue >> PRECISION));
    }

    /** Shares in whole numbers. */
    static #round(shares) {
        return Int32Array.from(shares, (share) => Math.trunc((share < 0 ? -0.5 : 0.5) + share * (1 << PRECISION)));
    }
}
