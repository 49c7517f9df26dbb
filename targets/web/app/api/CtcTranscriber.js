import { Model } from "../core/client.js";
import { samples } from "../core/sound.js";

/**
 * Speech to text, letter by letter, without times.
 * @example
 * const transcriber = await CtcTranscriber.load();
 * console.log(await transcriber.transcribe(file));
 */
export class CtcTranscriber extends Model {
    static properties = ["rate"];

    async transcribe(sound, options) {
        return this.call("transcribe", [await samples(sound, this.rate)], options);
    }
}
