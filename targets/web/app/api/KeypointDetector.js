import { Model } from "../core/client.js";
import { pixels } from "../core/picture.js";

/**
 * Pictures to the points of bodies or hands.
 * @example
 * const detector = await KeypointDetector.load();
 * for (const { label, points } of await detector.detect(file)) console.log(label, points, detector.names);
 */
export class KeypointDetector extends Model {
    static properties = ["names", "links"];

    async detect(picture, options) {
        const { rgb, height, width, scale } = await pixels(picture);
        const things = await this.call("find", [rgb, height, width], options);
        return things.map(({ points, ...thing }) => ({ ...thing, points: points.map((value) => value / scale) }));
    }
}
