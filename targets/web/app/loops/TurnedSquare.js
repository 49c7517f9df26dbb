import { Affine } from "./Affine.js";

/** A square of a picture, turned: what it holds stands upright in the cut. */
export class TurnedSquare {
    /**
     * The square around a detected thing, turned so that the line between two of its points, at "start" and "end" of the rule,
     * stands upright; "scale" makes it larger. "around": "circle", whose middle is the first point and on which the second
     * lies, or "box", by whose height times "shift" the square is moved along the line.
     */
    constructor({ points, whole: [left, top, right, bottom] }, { start, end, scale, around, shift }) {
        const [x, y] = points.slice(2 * start), [toX, toY] = points.slice(2 * end);
        const angle = Math.PI / 2 - Math.atan2(y - toY, toX - x), cos = Math.cos(angle), sin = Math.sin(angle);
        Object.assign(this, { x, y, cos, sin, side: 2 * Math.sqrt((toX - x) ** 2 + (toY - y) ** 2) * scale });
        if (around === "box") {
            const moved = shift * (bottom - top);
            this.x = (left + right) / 2 - moved * sin;
            this.y = (top + bottom) / 2 + moved * cos;
            this.side = Math.max(right - left, bottom - top) * scale;
        }
    }

    /** Whether a picture can be cut by it. */
    isUsable() {
        return this.side >= 1 && this.side < 1e5;
    }

    /** Positions x, y, x, y .. as shares of the square, in pixels of the picture. */
    place(shares) {
        const { x, y, cos, sin, side } = this, places = new Array(shares.length);
        for (let i = 0; i < shares.length; i += 2) {
            const across = (shares[i] - 0.5) * side, down = (shares[i + 1] - 0.5) * side;
            places[i] = across * cos - down * sin + x;
            places[i + 1] = across * sin + down * cos + y;
        }
        return places;
    }

    /** What it holds of a picture, upright, size x size, as Pillow cuts it; black outside of the picture. */
    cut(rgb, height, width, size) {
        const step = this.side / size, right = this.cos * step, down = this.sin * step, [x, y] = this.place([0, 0]);
        return Affine.cut(rgb, height, width, [right, -down, x, down, right, y], size, size);
    }
}
