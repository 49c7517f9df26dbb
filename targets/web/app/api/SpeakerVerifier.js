import { Model } from "../core/client.js";
import { samples } from "../core/sound.js";

/**
 * Whether one person speaks in two clips.
 * @example
 * const verifier = await SpeakerVerifier.load();
 * const [one, other] = [await verifier.embed(file), await verifier.embed(another)];
 * console.log(verifier.similarity(one, other) >= verifier.threshold ? "the same speaker" : "different speakers");
 */
export class SpeakerVerifier extends Model {
    static properties = ["threshold"];

    async embed(clip, options) {
        return this.call("embed", [await samples(clip, 16000)], options);
    }

    similarity(one, other) {
        return one.reduce((sum, value, i) => sum + value * other[i], 0);
    }
}
