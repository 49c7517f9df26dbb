import { Model } from "../core/client.js";
import { pixels } from "../core/picture.js";

/**
 * Pictures to labelled boxes.
 * @example
 * const detector = await ObjectDetector.load();
 * for (const { label, score, sides } of await detector.detect(file)) console.log(label, score, ...sides);
 */
export class ObjectDetector extends Model {
    static properties = ["threshold"];

    async detect(picture, { threshold = this.threshold, ...options } = {}) {
        const { rgb, height, width, scale } = await pixels(picture);
        const boxes = await this.call("detect", [rgb, height, width, threshold], options);
        const back = (values) => values.map((value) => value / scale);
        return boxes.map(({ label, score, sides, points }) => ({ label, score, sides: back(sides), points: back(points) }));
    }
}
