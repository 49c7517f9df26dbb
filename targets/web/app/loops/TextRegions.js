import { TextRectangle } from "./TextRectangle.js";

/** Rectangles with a shorter side, in pixels of the map, are no text; and after they have grown. */
const THIN = 3, GROWN = 5;

/** From a map of chances that a pixel is text to rectangles around lines of text (Liao et al. 2020, arXiv:1911.08947). */
export class TextRegions {
    constructor(chances, side, least) {
        const left = new Uint8Array(chances.length), limit = Math.fround(least);
        // Dilated by a pixel to the right and below, which joins what touches at a corner only.
        for (let at = 0; at < chances.length; at++) {
            if (chances[at] > limit) {
                const right = at % side < side - 1 ? 1 : 0, below = at < chances.length - side ? side : 0;
                left[at] = left[at + right] = left[at + below] = left[at + below + right] = 1;
            }
        }
        Object.assign(this, { chances, side, left });
    }

    /**
     * The corners of the lines of text in a map [side, side], in its pixels, the surest first. Of the rule: "pixel", the least
     * chance of a pixel; "line", the least mean chance in a rectangle; "growth" on each side, as a multiple of the
     * rectangle's area over its perimeter; "most" lines.
     */
    static lines(chances, side, rule) {
        const regions = new TextRegions(chances, side, rule.pixel), lines = [];
        for (let at = 0; at < chances.length; at++) {
            const found = regions.left[at] ? TextRectangle.around(regions.#group(at)) : { first: 0, second: 0 };
            const { first, second } = found, thin = Math.min(first, second);
            if (thin >= THIN) {
                const score = regions.#mean(found.corners());
                const more = (2 * rule.growth * first * second) / (2 * (first + second));
                const line = { corners: found.grow(more).corners(), score };
                lines.push(...(score >= rule.line && thin + more >= GROWN ? [line] : []));
            }
        }
        return lines.sort((a, b) => b.score - a.score).slice(0, rule.most).map((line) => line.corners);
    }

    /** The pixels that touch one another, also at corners, as x, y; they are taken away. */
    #group(first) {
        const points = [], waiting = [first], { side, left } = this;
        left[first] = 0;
        while (waiting.length) {
            const at = waiting.pop(), x = at % side, y = (at - x) / side;
            points.push([x, y]);
            for (let row = Math.max(0, y - 1); row <= Math.min(side - 1, y + 1); row++) {
                for (let column = Math.max(0, x - 1); column <= Math.min(side - 1, x + 1); column++) {
                    if (left[row * side + column]) {
                        left[row * side + column] = 0;
                        waiting.push(row * side + column);
                    }
                }
            }
        }
        return points;
    }

    /** The mean of the map's pixels inside of a rectangle. */
    #mean(corners) {
        const cut = (place) => Math.max(0, Math.min(this.side - 1, place));
        const [left, top] = [0, 1].map((axis) => cut(Math.floor(Math.min(...corners.map((corner) => corner[axis])))));
        const [right, bottom] = [0, 1].map((axis) => cut(Math.ceil(Math.max(...corners.map((corner) => corner[axis])))));
        let sum = 0, count = 0;
        for (let y = top; y <= bottom; y++) {
            for (let x = left; x <= right; x++) {
                let inside = true;
                for (let i = 0; i < 4; i++) {
                    const from = corners[i], to = corners[(i + 1) % 4];
                    inside &&= (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0]) >= -1e-6;
                }
                sum += inside ? this.chances[y * this.side + x] : 0;
                count += inside ? 1 : 0;
            }
        }
        return count > 0 ? sum / count : 0;
    }
}
