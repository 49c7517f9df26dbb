import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { SpeechListener } from "./SpeechListener.js";
import { SpeechRules } from "./SpeechRules.js";
import { SpeechSpans } from "./SpeechSpans.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** Samples in a second; frames that are read at once. */
const RATE = 16000, BLOCK = 320;

/** In which stretches of a sound at 16 kHz somebody speaks; or, as it comes, how probable it is that somebody does. */
export class SpeechActivity extends TaskLoop {
    #stream = this.#begin();
    /** Seconds of a frame. */
    frame = this.facts.hop / RATE;

    #begin() {
        return new SpeechListener(this.parts.network, Tensors.part(this.description, "network"), this.facts);
    }

    /** The bundle's rules; an app may have others. */
    rules() {
        return new SpeechRules(this.facts.rules);
    }

    async answer(golden, watch) {
        return SpeechActivity.text(await this.detect(golden.audio.data, this.rules(), watch));
    }

    /** Speech in a sound: {spans, probabilities}, spans {start, end} in seconds, and the probability in each frame. */
    async detect(sound, rules = this.rules(), watch = () => {}) {
        const chosen = new SpeechRules(rules), listener = this.#begin(), probabilities = [], size = BLOCK * listener.hop;
        try {
            for (let from = 0; from < sound.length; from += size) {
                const check = () => watch(from / RATE, sound.length / RATE);
                probabilities.push(...(await listener.push(Samples.window(sound, from, size), check)));
            }
            probabilities.push(...(await listener.finish()));
            return { spans: SpeechSpans.of(probabilities, chosen, listener.hop, sound.length), probabilities };
        } finally {
            listener.close();
        }
    }

    /** The probabilities of the frames that the next samples of a stream complete, mostly none or few. */
    async push(samples) {
        Samples.check(samples);
        return this.#stream.push(samples);
    }

    /** Begins a new stream. */
    reset() {
        this.close();
        this.#stream = this.#begin();
    }

    /** Gives the stream's memory back. */
    close() {
        this.#stream.close();
    }

    /** For people: such as "speech from 0.29 to 2.21 s". */
    static text({ spans }) {
        const texts = spans.map(({ start, end }) => `${Numbers.text(start, 2)} to ${Numbers.text(end, 2)}`);
        return texts.length ? `speech from ${texts.join(", ")} s` : "no speech";
    }
}
