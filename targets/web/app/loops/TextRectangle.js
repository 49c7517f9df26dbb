/**
 * A rectangle around pixels, turned as they lie: its middle, the direction of its first side (the one nearer to the
 * horizontal, towards the right), and the lengths of both sides.
 */
export class TextRectangle {
    constructor(x, y, axisX, axisY, first, second) {
        const sign = axisX > 0 ? 1 : -1;
        Object.assign(this, { x, y, axisX: sign * axisX, axisY: sign * axisY, first, second });
    }

    /** The same, both sides longer. */
    grow(by) {
        return new TextRectangle(this.x, this.y, this.axisX, this.axisY, this.first + by, this.second + by);
    }

    /** x, y of the corners from the upper left on clockwise. */
    corners() {
        const { x, y, axisX, axisY, first, second } = this;
        const alongX = (axisX * first) / 2, alongY = (axisY * first) / 2;
        const acrossX = (-axisY * second) / 2, acrossY = (axisX * second) / 2;
        return [
            [x - alongX - acrossX, y - alongY - acrossY], [x + alongX - acrossX, y + alongY - acrossY],
            [x + alongX + acrossX, y + alongY + acrossY], [x - alongX + acrossX, y - alongY + acrossY],
        ];
    }

    /** The one of the least area around points [x, y]; one of its sides lies on one of their hull's. */
    static around(points) {
        const hull = TextRectangle.#hull(points);
        let least = Infinity, best;
        for (const [i, from] of hull.entries()) {
            const to = hull[(i + 1) % hull.length], wide = to[0] - from[0], high = to[1] - from[1];
            const size = Math.sqrt(wide * wide + high * high), [axisX, axisY] = size > 0 ? [wide / size, high / size] : [1, 0];
            const along = TextRectangle.#span(hull, axisX, axisY), across = TextRectangle.#span(hull, -axisY, axisX);
            if (along.length * across.length < least) {
                least = along.length * across.length;
                best = { axisX, axisY, along, across };
            }
        }
        const { axisX, axisY, along, across } = best;
        const x = axisX * along.middle - axisY * across.middle, y = axisY * along.middle + axisX * across.middle;
        return Math.abs(axisX) < Math.abs(axisY)
            ? new TextRectangle(x, y, -axisY, axisX, across.length, along.length)
            : new TextRectangle(x, y, axisX, axisY, along.length, across.length);
    }

    /** How long points are in a direction, and where the middle is. */
    static #span(points, x, y) {
        const places = points.map((point) => point[0] * x + point[1] * y);
        const least = Math.min(...places), most = Math.max(...places);
        return { length: most - least, middle: (least + most) / 2 };
    }

    /** The convex hull, in order (Andrew 1979). */
    static #hull(points) {
        const ordered = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]), hull = [];
        const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        for (const half of [ordered, [...ordered].reverse()]) {
            const base = hull.length;
            for (const point of half) {
                while (hull.length - base > 1 && turn(hull.at(-2), hull.at(-1), point) <= 0) {
                    hull.pop();
                }
                hull.push(point);
            }
            hull.pop();
        }
        return hull.length ? hull : [ordered[0]];
    }
}
