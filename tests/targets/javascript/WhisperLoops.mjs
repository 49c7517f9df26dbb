// Whisper's texts and streams: the loops' answers to what Python sends.
import { floats, load, numbers, string, text } from "./pipe.mjs";

const WhisperTranscriber = await load("WhisperTranscriber"), WhisperTokens = await load("WhisperTokens");
/** A number as Python writes it. */
const decimal = (number) => (Number.isInteger(number) ? number.toFixed(1) : String(number));
const lines = (all) => text(all.map((row) => `${row.join("\t")}\n`).join(""));
const rows = (words) => words.map((one) => [one.word, ...[one.start, one.end, one.probability].map(decimal)]);

export class WhisperLoops {
    #parts;
    #description;

    constructor(parts, description) {
        [this.#parts, this.#description] = [parts, description];
    }

    async answer(given, watch) {
        const transcriber = new WhisperTranscriber(this.#parts, this.#description);
        if (given.decode) {
            const said = transcriber.tokens.text(numbers(given.decode));
            return { text: text(said), stripped: text(WhisperTokens.strip(said)) };
        }
        const asked = ["translate", "timestamps", "words"].map((name) => [name, name in given]);
        const options = { ...Object.fromEntries(asked), language: given.language && string(given.language) };
        if (given.chunks) {
            return this.#stream(transcriber, { ...options, vad: given.vad && numbers(given.vad)[0] !== 0 }, given, watch);
        }
        const made = await transcriber.transcribe(given.audio.data, options, watch);
        return {
            text: text(made.text), language: text(made.language), fallbacks: text(made.fallbacks.join("\n")),
            windows: floats(made.windows), words: lines(rows(made.words)),
            segments: lines(made.segments.map((one) => [decimal(one.start), decimal(one.end), one.text])),
        };
    }

    /** See java/StreamLoops.java, which gives the same. */
    async #stream(transcriber, options, given, watch) {
        const audio = given.audio.data, sizes = numbers(given.chunks), bad = given.bad ? numbers(given.bad)[0] : -1;
        const passes = given.clock ? given.clock.data[0] : 0, heard = [], words = [], answer = {};
        let time = 0, pending = "";
        const stream = transcriber.stream(options, () => (time += passes));
        try {
            for (let at = 0, i = 0; at < audio.length; at += sizes[i % sizes.length], i++) {
                if (i === bad) {
                    answer.refused = text(await refusal(stream.feed(Float32Array.of(0.1, NaN), watch)));
                }
                const now = await stream.feed(audio.subarray(at, at + sizes[i % sizes.length]), watch);
                if (now.words.length > 0 || now.pending !== pending || now.notes.length > 0) {
                    heard.push([i, now.text, now.pending, now.notes.join(" ")]);
                }
                pending = now.pending;
                words.push(...now.words);
            }
            const { last, whole } = await stream.end(watch);
            heard.push([-1, last.text, last.pending, ""]);
            words.push(...last.words);
            const ended = [await refusal(stream.feed(audio, watch)), await refusal(stream.end(watch))].join(", ");
            Object.assign(answer, { text: text(whole.text), language: text(whole.language), ended: text(ended) });
            return { ...answer, heard: lines(heard), final: lines(rows(words)), words: lines(rows(whole.words)) };
        } finally {
            stream.close();
        }
    }
}

const refusal = (work) => work.then(() => "", (error) => `${error.name}: ${error.message}`);
