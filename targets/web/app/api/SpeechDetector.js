import { Model } from "../core/client.js";
import { chunks, samples } from "../core/sound.js";

/**
 * When somebody speaks.
 * @example
 * const detector = await SpeechDetector.load();
 * for (const { start, end } of (await detector.detect(file)).spans) console.log(start, end);
 * for await (const chances of detector.listen(microphone())) console.log(...chances);
 */
export class SpeechDetector extends Model {
    static properties = ["rules", "frame"];

    async detect(sound, { rules, ...options } = {}) {
        return this.call("detect", [await samples(sound, 16000), { ...this.rules, ...rules }], options);
    }

    async *listen(sound, { signal } = {}) {
        await this.call("reset", [], { signal });
        for await (const chunk of chunks(sound, 16000, signal)) {
            yield await this.call("push", [chunk], { signal });
        }
    }
}
