import { Model } from "../core/client.js";
import { chunks } from "../core/sound.js";

/**
 * Words in a stream of sound.
 * @example
 * const detector = await WakeWordDetector.load();
 * for await (const { word, time } of detector.detect(microphone())) console.log(word, time);
 */
export class WakeWordDetector extends Model {
    static properties = ["words", "rate"];

    /** Takes the next samples, floats in [-1, 1]; gives the words that they complete, mostly none. */
    async feed(chunk, options) {
        const steps = chunk.map((value) => Math.max(-32768, Math.min(32767, Math.round(value * 32768) || 0)));
        return this.call("feed", [new Int16Array(steps)], options);
    }

    async reset() {
        await this.call("reset", []);
    }

    async *detect(sound, { signal } = {}) {
        await this.reset();
        for await (const chunk of chunks(sound, this.rate, signal)) {
            yield* await this.feed(chunk, { signal });
        }
    }
}
