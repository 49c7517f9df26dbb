import { Box } from "./Box.js";
import { PlacedPicture } from "./PlacedPicture.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** A picture to labelled boxes: fit, run, keep what is sure enough, and of boxes of one thing the best. */
export class BoxDetector extends TaskLoop {
    /** part: the name of the network; facts: of the bundle, or "detector" of them. */
    constructor(parts, description, part = "network", facts = description.facts) {
        super(parts, { ...description, facts });
        /** The least score that counts, by default. */
        [this.part, this.threshold] = [part, facts.threshold];
    }

    async answer({ pixels: { data, shape: [height, width] } }) {
        return Box.text(await this.detect(data, height, width));
    }

    /** What is in a picture of pixels [height, width, 3] without transparency, best first. */
    async detect(rgb, height, width, threshold = this.threshold) {
        const { height: high, width: wide, resize, overlap } = this.facts;
        const picture = new PlacedPicture(rgb, height, width, resize, high, wide);
        const feeds = { [this.spec(this.part).name]: Tensors.of(picture.pixels, [1, high, wide, 3]) };
        const made = await this.parts[this.part].run(feeds);
        try {
            const shares = await Tensors.read(made.boxes), logits = await Tensors.read(made.logits);
            const points = made.points ? await Tensors.read(made.points) : [];
            return Box.best(this.#boxes(shares, logits, points, picture, threshold), overlap);
        } finally {
            Tensors.disposeAll(made);
        }
    }

    /** All that are sure enough and have an area, label by label. */
    #boxes(shares, logits, points, picture, threshold) {
        const { labels, activation } = this.facts, boxes = labels.map(() => []), edges = [picture.width, picture.height];
        const count = shares.length / 4, classes = logits.length / count, numbers = points.length / count;
        const chances = activation === "softmax" ? BoxDetector.#softmax : BoxDetector.#sigmoid;
        for (let i = 0; i < count; i++) {
            const scores = chances(logits.subarray(i * classes, (i + 1) * classes));
            let best = 0;
            for (let label = 1; label < labels.length; label++) {
                best = scores[label] > scores[best] ? label : best;
            }
            const whole = picture.back(shares, i * 4, 4);
            const sides = whole.map((place, side) => Math.max(0, Math.min(edges[side % 2], place)));
            if (scores[best] >= threshold && sides[2] > sides[0] && sides[3] > sides[1]) {
                const places = picture.back(points, i * numbers, numbers);
                boxes[best].push(new Box(labels[best], scores[best], sides, whole, places));
            }
        }
        return boxes;
    }

    static #sigmoid(logits) {
        return Float64Array.from(logits, (logit) => 1 / (1 + Math.exp(-Math.max(-100, Math.min(100, logit)))));
    }

    static #softmax(logits) {
        const top = Math.max(...logits), odds = Float64Array.from(logits, (logit) => Math.exp(logit - top));
        const sum = odds.reduce((all, odd) => all + odd);
        return odds.map((odd) => odd / sum);
    }
}
