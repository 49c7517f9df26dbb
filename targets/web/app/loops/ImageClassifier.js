import { Numbers } from "./Numbers.js";
import { Ranked } from "./Ranked.js";
import { Resample } from "./Resample.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** A picture to labels, from RGB pixels of any size to a ranking. */
export class ImageClassifier extends TaskLoop {
    async answer({ pixels: { data, shape: [height, width] } }) {
        return (await this.classify(data, height, width, 1))[0].label;
    }

    /** The most probable labels of pixels [height, width, 3] without transparency, the best first; `top` at most. */
    async classify(rgb, height, width, top) {
        Resample.check(rgb, height, width);
        const { height: high, width: wide, scale = 1, zero_point: zero = 0, activation, labels } = this.facts;
        const input = this.spec("network"), pixels = new Uint8Array(this.fitted(rgb, height, width));
        const bytes = input.dtype === "int8" ? Int8Array.from(pixels, (value) => value - 128) : pixels;
        const { data } = await this.take("network", { [input.name]: Tensors.of(bytes, [1, high, wide, 3]) });
        const step = Math.fround(scale), scores = Float32Array.from(data, (score) => Math.fround(score - zero) * step);
        return Ranked.of(activation === "softmax" ? Numbers.softmax(scores) : scores, labels, top);
    }

    /** Pixels of the network's own size. */
    fitted(rgb, high, wide) {
        const { height, width, resize: rule } = this.facts, short = rule?.short_side;
        if (high === height && wide === width) {
            return rgb;
        }
        // Of a picture that is longer than 8 times its width, only the middle is made larger.
        if (short && Math.max(wide, high) > 8 * Math.min(wide, high)) {
            const newWide = Math.min(wide, 4 * high), newHigh = Math.min(high, 4 * wide);
            return this.fitted(ImageClassifier.#middle(rgb, high, wide, newHigh, newWide, Math.trunc), newHigh, newWide);
        }
        let [newHigh, newWide] = rule?.size ?? (rule?.crop ? [high, wide] : [height, width]);
        if (short) {
            newWide = wide <= high ? short : Math.trunc((short * wide) / high);
            newHigh = wide <= high ? Math.trunc((short * high) / wide) : short;
        }
        const filter = rule?.filter ?? (short ? "bicubic" : "bilinear");
        const round = rule?.crop === "center, down" ? Math.floor : Numbers.rint; // halves to even
        const pixels = Resample.resize(rgb, high, wide, newHigh, newWide, filter);
        return ImageClassifier.#middle(pixels, newHigh, newWide, height, width, round);
    }

    /** The middle of a picture; what lies outside of it is black. */
    static #middle(rgb, high, wide, newHigh, newWide, round) {
        const top = round((high - newHigh) / 2), left = round((wide - newWide) / 2);
        const out = new Uint8Array(newHigh * newWide * 3), first = Math.max(0, -left), end = Math.min(newWide, wide - left);
        for (let y = Math.max(0, -top); y < Math.min(newHigh, high - top); y++) {
            const row = ((top + y) * wide + left) * 3;
            out.set(rgb.subarray(row + first * 3, row + end * 3), (y * newWide + first) * 3);
        }
        return out;
    }
}
