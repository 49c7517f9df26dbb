import { Affine } from "./Affine.js";
import { Numbers } from "./Numbers.js";
import { Resample } from "./Resample.js";

/** What is this much higher than wide runs upwards or downwards; a long line may be parted in the last share of a piece. */
const UPRIGHT = 1.5, LAST = 0.35;
/** Beside a line: 0 after normalisation, as in training. */
const GREY = 128;

/** A line of text cut out of a picture, upright: RGB [height, width, 3]. */
export class LinePicture {
    constructor(rgb, height, width) {
        Object.assign(this, { rgb, height, width });
    }

    /** What a rectangle holds of this picture; one that stands on its short side is laid down, its right side above. */
    cut([[x, y], right, , below]) {
        const [rightX, rightY, downX, downY] = [right[0] - x, right[1] - y, below[0] - x, below[1] - y];
        const wide = Math.sqrt(rightX * rightX + rightY * rightY), high = Math.sqrt(downX * downX + downY * downY);
        const columns = Math.max(1, Numbers.rint(wide)), rows = Math.max(1, Numbers.rint(high));
        const inverse = [rightX / columns, downX / rows, x, rightY / columns, downY / rows, y];
        const line = new LinePicture(Affine.cut(this.rgb, this.height, this.width, inverse, rows, columns), rows, columns);
        return high >= UPRIGHT * wide ? line.turn(false) : line;
    }

    /** Turned by half, or by a quarter against the clock. */
    turn(half) {
        const { rgb, height, width } = this, high = half ? height : width, wide = half ? width : height;
        const out = new Uint8Array(rgb.length);
        for (let y = 0, to = 0; y < high; y++) {
            for (let x = 0; x < wide; x++, to += 3) {
                const from = 3 * (half ? (height - 1 - y) * width + width - 1 - x : x * width + width - 1 - y);
                [out[to], out[to + 1], out[to + 2]] = [rgb[from], rgb[from + 1], rgb[from + 2]];
            }
        }
        return new LinePicture(out, high, wide);
    }

    /** At another size, bilinear. */
    resize(high, wide) {
        return new LinePicture(Resample.resize(this.rgb, this.height, this.width, high, wide, "bilinear"), high, wide);
    }

    /** At a height, in pieces of at most so many columns, parted where columns are the most alike, as between words. */
    pieces(high, most) {
        let left = this.resize(high, Math.max(1, Numbers.rint((this.width * high) / this.height)));
        const pieces = [];
        while (left.width > most) {
            const smooth = left.#spread();
            let at = Numbers.rint(most * (1 - LAST));
            for (let x = at; x < most; x++) {
                at = smooth[x] < smooth[at] ? x : at;
            }
            pieces.push(left.#columns(0, at, at));
            left = left.#columns(at, left.width, left.width - at);
        }
        return [...pieces, left];
    }

    /** How much the pixels of a column differ, as a mean of five columns. */
    #spread() {
        const { rgb, height, width } = this, smooth = new Float64Array(width);
        for (let x = 0; x < width; x++) {
            let mean = 0, square = 0;
            for (let at = 3 * x; at < rgb.length; at += 3 * width) {
                const value = (rgb[at] + rgb[at + 1] + rgb[at + 2]) / 3;
                mean += value / height;
                square += (value * value) / height;
            }
            const spread = Math.sqrt(Math.max(0, square - mean * mean)) / 5;
            for (let near = Math.max(0, x - 2); near <= Math.min(width - 1, x + 2); near++) {
                smooth[near] += spread;
            }
        }
        return smooth;
    }

    /** Columns [from, to) at the left of a picture of so many columns, grey beside them. */
    #columns(from, to, wide) {
        const out = new Uint8Array(this.height * wide * 3).fill(GREY);
        for (let y = 0; y < this.height; y++) {
            out.set(this.rgb.subarray((y * this.width + from) * 3, (y * this.width + to) * 3), y * wide * 3);
        }
        return new LinePicture(out, this.height, wide);
    }

    /** Pixels of an input of so many columns: at the left, grey beside it; a wider one is squeezed. */
    fill(wide) {
        const line = this.width > wide ? this.resize(this.height, wide) : this;
        return line.#columns(0, line.width, wide).rgb;
    }
}
