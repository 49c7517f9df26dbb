import { ResampleWeights } from "./ResampleWeights.js";

/** Numbers in rows and columns, resized as Pillow does with pictures of 32-bit floats, bilinear with antialiasing. */
export class Plane {
    /** A part {left, top, right, bottom}, in columns and rows, of values [rows, columns] at another size. */
    static resize(values, rows, columns, part, high, wide) {
        const [left, top, right, bottom] = [part.left, part.top, part.right, part.bottom].map(Math.fround);
        const across = (all, outer) => Plane.#pass(all, outer, columns, 1, left, right, wide);
        const down = (all, inner) => Plane.#pass(all, 1, rows, inner, top, bottom, high);
        return rows > high && rows - high > 2 * (columns - wide)
            ? across(down(values, columns), high)
            : down(across(values, rows), wide);
    }

    /** Of values [outer, size, inner] the stretch [begin, end) becomes [outer, newSize, inner]. */
    static #pass(values, outer, size, inner, begin, end, newSize) {
        if (begin === 0 && end === size && newSize === size) {
            return values;
        }
        const { first, of } = new ResampleWeights(size, begin, end, newSize, "bilinear");
        const out = new Float32Array(outer * newSize * inner);
        for (let block = 0, to = 0; block < outer; block++) {
            for (let i = 0; i < newSize; i++) {
                for (let k = 0, weights = of[i]; k < inner; k++) {
                    let sum = 0;
                    for (let n = 0, at = (block * size + first[i]) * inner + k; n < weights.length; n++, at += inner) {
                        sum += values[at] * weights[n];
                    }
                    out[to++] = sum;
                }
            }
        }
        return out;
    }
}
