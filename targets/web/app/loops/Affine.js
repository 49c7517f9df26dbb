/** Turned parts of pictures, as Pillow cuts them with bilinear filtering; black outside of the picture. */
export class Affine {
    /**
     * A part [high, wide, 3] of RGB pixels [height, width, 3].
     * @param {number[]} a to (a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5]) of the picture belongs x, y of the part.
     */
    static cut(rgb, height, width, a, high, wide) {
        const out = new Uint8Array(high * wide * 3);
        for (let row = 0, to = 0; row < high; row++) {
            for (let column = 0; column < wide; column++, to += 3) {
                const x = column + 0.5, y = row + 0.5;
                const atX = a[0] * x + a[1] * y + a[2], atY = a[3] * x + a[4] * y + a[5];
                if (atX >= 0 && atX < width && atY >= 0 && atY < height) {
                    Affine.#sample(rgb, height, width, atX - 0.5, atY - 0.5, out, to);
                }
            }
        }
        return out;
    }

    /** The four pixels around a place, by their nearness; behind an edge its pixels go on. */
    static #sample(rgb, height, width, x, y, out, to) {
        const left = Math.floor(x), top = Math.floor(y), dx = x - left, dy = y - top;
        const first = 3 * Math.max(0, left), second = 3 * Math.min(width - 1, left + 1);
        const upper = 3 * width * Math.max(0, top), lower = 3 * width * Math.min(height - 1, top + 1);
        for (let band = 0; band < 3; band++) {
            const above = Affine.#between(rgb, upper + first + band, upper + second + band, dx);
            const below = Affine.#between(rgb, lower + first + band, lower + second + band, dx);
            out[to + band] = above + (below - above) * dy;
        }
    }

    static #between(rgb, first, second, share) {
        return rgb[first] + (rgb[second] - rgb[first]) * share;
    }
}
