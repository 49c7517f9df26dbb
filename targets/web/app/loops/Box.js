/** Boxes of a label, and of a picture, at most. */
const MOST = 100;

/**
 * A thing in a picture: its label, a score from 0 to 1, and in pixels its `sides` (left, top, right, bottom) cut at the
 * picture's edges, the `whole` as the network has them, and its `points` x, y, x, y .., also outside; mostly none.
 */
export class Box {
    constructor(label, score, sides, whole, points) {
        Object.assign(this, { label, score, sides, whole, points });
    }

    /** Intersection over union. */
    static #overlap({ sides: one }, { sides: other }) {
        const wide = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
        const high = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
        const area = (sides) => Math.max(0, sides[2] - sides[0]) * Math.max(0, sides[3] - sides[1]);
        const common = Math.max(0, wide) * Math.max(0, high), union = area(one) + area(other) - common;
        return union > 0 ? common / union : 0;
    }

    /** Non-maximum suppression: of boxes of a label that overlap by more than `overlap` the best stays. Best first. */
    static best(boxesOfLabels, overlap) {
        const order = (one, other) => other.score - one.score, kept = [];
        for (const boxes of boxesOfLabels) {
            const chosen = [];
            for (const box of boxes.sort(order)) {
                if (chosen.length < MOST && chosen.every((better) => Box.#overlap(better, box) <= overlap)) {
                    chosen.push(box);
                }
            }
            kept.push(...chosen);
        }
        return kept.sort(order).slice(0, MOST);
    }

    /** The labels of boxes, or of other things that have one, for people. */
    static text(things) {
        return things.map((thing) => thing.label).join(", ") || "nothing";
    }
}
