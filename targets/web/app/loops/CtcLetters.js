import { Numbers } from "./Numbers.js";
import { TaskLoop } from "./TaskLoop.js";
import { Waveform } from "./Waveform.js";

/** Speech to text, of networks that give a letter for every moment (CTC): the likeliest at each. */
export class CtcLetters extends TaskLoop {
    #waves = new Waveform(this.facts, this.spec("network"));
    /** Samples in a second. */
    rate = this.facts.sample_rate;

    async answer(golden, watch) {
        return this.transcribe(golden.audio.data, watch);
    }

    /** The text of a sound; of a long one window after window. */
    async transcribe(sound, watch = () => {}) {
        const texts = [];
        for (let start = 0, held; start === 0 || held.length === this.#waves.most; start += held.length) {
            held = this.#waves.window(sound, start);
            if (held.length) {
                watch(start / this.rate, sound.length / this.rate);
                texts.push(await this.#letters(held));
            }
        }
        const text = texts.filter(Boolean).join(" ");
        return this.facts.lower ? text.toLowerCase() : text;
    }

    /** A letter that stays counts once; a blank parts equal ones. */
    async #letters(held) {
        const { vocabulary, blank, delimiter } = this.facts, samples = this.#waves.input(held), size = samples.data.length;
        const { data, shape } = await this.take("network", { [this.spec("network").name]: samples });
        const [, moments, count] = shape;
        // What was filled up has no letters; a moment covers as many samples as any other.
        const heard = Math.trunc((moments * held.length + size - 1) / size);
        let text = "", last = -1;
        for (let moment = 0; moment < heard; moment++) {
            const best = Numbers.argmax(data, moment * count, (moment + 1) * count);
            text += best !== last && best !== blank ? (vocabulary[best] ?? "") : "";
            last = best;
        }
        return delimiter ? text.replaceAll(delimiter, " ").split(/\s+/).filter(Boolean).join(" ") : text;
    }
}
