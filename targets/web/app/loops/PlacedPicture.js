import { Numbers } from "./Numbers.js";
import { Resample } from "./Resample.js";

/** A picture laid whole into a network's input, and the way back from the input's positions to the picture's pixels. */
export class PlacedPicture {
    /**
     * Pixels [height, width, 3] in an input of `high` x `wide` by "resize" of the bundle's facts: with "letterbox" the picture
     * keeps its proportions, in the middle, and what is left is black; else it is scaled as a whole.
     */
    constructor(rgb, height, width, rule, high, wide) {
        Resample.check(rgb, height, width);
        if (rule?.short_side || rule?.crop || rule?.size) {
            throw new Error("the network's input is a part of the picture only");
        }
        const scale = Math.min(wide / width, high / height), scaled = (side) => Math.max(1, Numbers.rint(side * scale));
        const [newHigh, newWide] = rule?.letterbox ? [scaled(height), scaled(width)] : [high, wide];
        const left = (wide - newWide) >> 1, top = (high - newHigh) >> 1, pixels = new Uint8Array(high * wide * 3);
        const laid = Resample.resize(rgb, height, width, newHigh, newWide, rule?.filter ?? "bilinear");
        for (let y = 0; y < newHigh; y++) {
            pixels.set(laid.subarray(y * newWide * 3, (y + 1) * newWide * 3), ((top + y) * wide + left) * 3);
        }
        const part = { left: left / wide, top: top / high, across: newWide / wide, down: newHigh / high };
        Object.assign(this, { pixels, height, width, ...part });
    }

    /** Positions x, y, x, y .. as shares of the input, in pixels of the picture; not cut at its edges. */
    back(shares, from = 0, count = shares.length) {
        const places = new Array(count);
        for (let i = 0; i < count; i += 2) {
            places[i] = ((shares[from + i] - this.left) / this.across) * this.width;
            places[i + 1] = ((shares[from + i + 1] - this.top) / this.down) * this.height;
        }
        return places;
    }
}
