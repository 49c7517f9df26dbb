import { Model } from "../core/client.js";
import { pixels } from "../core/picture.js";

/**
 * A picture to labels.
 * @example
 * const classifier = await Classifier.load();
 * for (const { label, score } of await classifier.classify(file)) console.log(label, score);
 */
export class Classifier extends Model {
    async classify(picture, { top = 5, ...options } = {}) {
        const { rgb, height, width } = await pixels(picture);
        return this.call("classify", [rgb, height, width, top], options);
    }
}
