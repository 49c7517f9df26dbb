/** Lines stand side by side if their middles differ by less than this share of their height. */
const BESIDE = 0.5;

/** A line of text in a picture: the mean probability of its letters, and its corners x, y from where the text begins. */
export class TextLine {
    constructor(text, score, corners) {
        Object.assign(this, { text, score, corners });
    }

    /** From above, and of those that stand side by side from the left. */
    static order(lines) {
        const rows = [], places = lines.map((line) => {
            const [xs, ys] = [0, 1].map((axis) => line.corners.map((corner) => corner[axis]));
            const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
            return { line, left: Math.min(...xs), middle: (top + bottom) / 2, high: bottom - top };
        });
        for (const place of places.sort((a, b) => a.middle - b.middle)) {
            const first = rows.at(-1)?.[0];
            if (first && place.middle - first.middle < BESIDE * Math.min(place.high, first.high)) {
                rows.at(-1).push(place);
            } else {
                rows.push([place]);
            }
        }
        return rows.flatMap((row) => row.sort((a, b) => a.left - b.left)).map((place) => place.line);
    }

    /** All lines, for people. */
    static text(lines) {
        return lines.map((line) => line.text).join("\n");
    }
}
