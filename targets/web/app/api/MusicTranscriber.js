import { Model } from "../core/client.js";
import { samples } from "../core/sound.js";

/**
 * Sounds to the notes that are played, by any instruments.
 * @example
 * const transcriber = await MusicTranscriber.load();
 * for (const { start, pitch } of await transcriber.transcribe(file)) console.log(start, pitch);
 */
export class MusicTranscriber extends Model {
    static properties = ["rate", "rules"];

    async transcribe(sound, { rules, ...options } = {}) {
        return this.call("transcribe", [await samples(sound, this.rate), { ...this.rules, ...rules }], options);
    }
}
