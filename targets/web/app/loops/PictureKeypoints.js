import { Box } from "./Box.js";
import { BoxDetector } from "./BoxDetector.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";
import { TurnedSquare } from "./TurnedSquare.js";

/** A picture to the points of bodies or hands: detect, cut out upright, find the points, and lay them back. */
export class PictureKeypoints extends TaskLoop {
    #detector = new BoxDetector(this.parts, this.description, "detector", this.facts.detector);
    /** Of the points; and pairs of points, by their places in the list, between which a line is drawn. */
    names = this.facts.names;
    links = this.facts.links;

    async answer({ pixels: { data, shape: [height, width] } }, watch) {
        return Box.text(await this.find(data, height, width, watch));
    }

    /**
     * The things {label, score, points} in pixels [height, width, 3] without transparency, those of which the detector is
     * surest first; points are x, y, x, y .. in pixels, also outside of the picture.
     */
    async find(rgb, height, width, watch = () => {}) {
        const { most, region, size } = this.facts, things = [];
        const boxes = (await this.#detector.detect(rgb, height, width)).slice(0, most);
        for (const [place, box] of boxes.entries()) {
            watch(place, boxes.length);
            const square = new TurnedSquare(box, region);
            if (square.isUsable()) {
                things.push(...(await this.#look(box.label, square, square.cut(rgb, height, width, size))));
            }
        }
        return things;
    }

    /** The points of a detected thing; nothing if the second network does not see one. */
    async #look(label, square, cut) {
        const { size, presence } = this.facts, feeds = { [this.spec("landmarks").name]: Tensors.of(cut, [1, size, size, 3]) };
        const made = await this.parts.landmarks.run(feeds);
        try {
            const [score] = await Tensors.read(made.presence), places = await Tensors.read(made.places);
            return score >= presence ? [{ label, score, points: square.place(places) }] : [];
        } finally {
            Tensors.disposeAll(made);
        }
    }
}
