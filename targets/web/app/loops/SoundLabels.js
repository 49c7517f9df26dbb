import { Numbers } from "./Numbers.js";
import { Ranked } from "./Ranked.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";
import { Waveform } from "./Waveform.js";

/** A sound to labels, of networks that take it whole; of a long one its beginning. */
export class SoundLabels extends TaskLoop {
    /** The part that takes the samples. */
    #first = this.parts.frontend ? "frontend" : "network";
    #waves = new Waveform(this.facts, this.spec(this.#first));
    /** Samples in a second. */
    rate = this.facts.sample_rate;

    async answer(golden) {
        return (await this.classify(golden.audio.data, 1))[0].label;
    }

    /** The most probable labels, the best first; `top` at most. */
    async classify(sound, top) {
        const held = this.#waves.window(sound, 0), { labels, activation } = this.facts, { name } = this.spec("network");
        let fed = { [this.spec(this.#first).name]: this.#waves.input(held) };
        if (this.#first === "frontend") {
            fed = { [name]: this.#silence(await this.take("frontend", fed, name), held.length) };
        }
        const { data } = await this.take("network", fed), sigmoid = (logit) => 1 / (1 + Math.exp(-logit));
        const scores = activation === "sigmoid" ? data.map(sigmoid) : data;
        return Ranked.of(activation === "softmax" ? Numbers.softmax(data) : scores, labels, top);
    }

    /** The features, silent behind the sound's end. */
    #silence({ data, shape }, length) {
        const { frame, hop, silence } = this.facts, frames = length < frame ? 0 : 1 + Math.trunc((length - frame) / hop);
        return Tensors.of(data.slice().fill(silence, Math.min(frames, shape[1]) * shape[2]), shape);
    }
}
