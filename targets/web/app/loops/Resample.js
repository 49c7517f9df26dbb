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

    /** Values [outer, size, inner] become [outer, newSize, inner]. */
    static #pass(values, outer, size, inner, newSize, filter) {
        if (size === newSize) {
            return values;
        }
        const { first, of } = new ResampleWeights(size, 0, size, newSize, filter), whole = of.map(Resample.#round);
        const out = new Uint8Array(outer * newSize * inner);
        for (let block = 0, to = 0; block < outer; block++) {
            for (let i = 0; i < newSize; i++) {
                const weights = whole[i], from = (block * size + first[i]) * inner;
                for (let k = 0; k < inner; k++) {
                    let sum = 1 << (PRECISION - 1);
                    for (let n = 0, at = from + k; n < weights.length; n++, at += inner) {
                        sum += values[at] * weights[n];
                    }
                    out[to++] = Math.max(0, Math.min(255, sum >> PRECISION));
                }
            }
        }
        return out;
    }

    /** Shares in whole numbers. */
    static #round(shares) {
        return Int32Array.from(shares, (share) => Math.trunc((share < 0 ? -0.5 : 0.5) + share * (1 << PRECISION)));
    }
}
