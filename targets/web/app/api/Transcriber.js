import { Model } from "../core/client.js";
import { chunks, samples } from "../core/sound.js";

/**
 * Speech to text.
 * @example
 * const speech = await Transcriber.load();
 * console.log((await speech.transcribe(file)).text);
 * for await (const { text, pending } of speech.stream(microphone())) console.log(text, pending);
 */
export class Transcriber extends Model {
    static properties = ["languages"];

    async transcribe(sound, { progress, signal, ...options } = {}) {
        return this.call("transcribe", [await samples(sound, 16000), options], { progress, signal });
    }

    /** Text while somebody speaks: what became final with each chunk, and what may still change. */
    async *stream(sound, { signal, ...options } = {}) {
        const stream = await this.begin("stream", [options], { signal });
        let before = "";
        try {
            for await (const chunk of chunks(sound, 16000, signal)) {
                const heard = await stream.call("feed", [chunk], { signal });
                if (heard.words.length || heard.notes.length || heard.pending !== before) {
                    yield heard;
                }
                before = heard.pending;
            }
            yield (await stream.call("end", [])).last;
        } finally {
            await stream.end();
        }
    }
}
