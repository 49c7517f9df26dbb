import { Model } from "../core/client.js";
import { samples } from "../core/sound.js";

/**
 * Sounds to labels, of a long one its beginning.
 * @example
 * const classifier = await SoundClassifier.load();
 * for (const { label, score } of await classifier.classify(file)) console.log(label, score);
 */
export class SoundClassifier extends Model {
    static properties = ["rate"];

    async classify(sound, { top = 5, ...options } = {}) {
        return this.call("classify", [await samples(sound, this.rate), top], options);
    }
}
