import { Numbers } from "./Numbers.js";
import { PlacedPicture } from "./PlacedPicture.js";
import { Plane } from "./Plane.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** Most pixels of the answer's longer side: a larger picture gets the mask of its reduction. Shares that are told. */
const LONGEST = 2048, TOLD = 0.005;

/** A picture to a class for every pixel of it. */
export class PictureAreas extends TaskLoop {
    async answer({ pixels: { data, shape: [height, width] } }) {
        return PictureAreas.text(await this.segment(data, height, width));
    }

    /**
     * The mask {classes, height, width, labels, shares} of pixels [height, width, 3] without transparency, as large as the
     * picture, at most 2048 a side: classes row by row as they are counted in the labels, and the share that each has.
     */
    async segment(rgb, height, width) {
        const { height: high, width: wide, resize, labels } = this.facts;
        const picture = new PlacedPicture(rgb, height, width, resize, high, wide);
        const feeds = { [this.spec("network").name]: Tensors.of(picture.pixels, [1, high, wide, 3]) };
        const { data, shape } = await this.take("network", feeds, "logits");
        const mask = PictureAreas.#mask(data, shape, picture), shares = new Float64Array(labels.length);
        for (let i = 0; i < mask.classes.length; i++) {
            shares[mask.classes[i]]++;
        }
        return { ...mask, labels, shares: Array.from(shares, (count) => count / mask.classes.length) };
    }

    /** The largest logit of each pixel, of one the sign: the picture's part of the input, bilinear at its size. */
    static #mask(logits, [, rows, columns, classes], picture) {
        const share = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
        const [height, width] = [picture.height, picture.width].map((side) => Math.max(1, Numbers.rint(side * share)));
        const left = picture.left * columns, top = picture.top * rows;
        const part = { left, top, right: left + picture.across * columns, bottom: top + picture.down * rows };
        const best = new Uint8Array(height * width), most = new Float32Array(best.length).fill(classes === 1 ? 0 : -Infinity);
        for (let kind = 0; kind < classes; kind++) {
            const layer = new Float32Array(rows * columns);
            for (let i = 0; i < layer.length; i++) {
                layer[i] = logits[i * classes + kind];
            }
            const values = Plane.resize(layer, rows, columns, part, height, width);
            for (let i = 0; i < values.length; i++) {
                if (values[i] > most[i]) {
                    most[i] = values[i];
                    best[i] = classes === 1 ? 1 : kind;
                }
            }
        }
        return { classes: best, height, width };
    }

    /** The largest shares, for people: such as "person 61%, background 39%". */
    static text({ labels, shares }) {
        const order = [...labels.keys()].sort((a, b) => shares[b] - shares[a]).filter((i) => shares[i] >= TOLD);
        return order.map((i) => `${labels[i]} ${Numbers.text(shares[i] * 100, 0)}%`).join(", ");
    }
}
