import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/**
 * openWakeWord's three networks, 80 ms at a time. Silence is taken to have been before the sound, so the networks need no
 * run-up.
 */
export class OpenWakewordEar extends TaskLoop {
    before = this.facts.frontend.hop;
    #frames;
    #embeddings;

    async look(window) {
        const { step, mels, frames, embeddings } = this.facts.frontend;
        const made = await this.take("frontend", { audio: Tensors.of(window, [1, window.length]) }, "frames");
        const all = Float32Array.of(...this.#frames, ...made.data);
        this.#frames = all.subarray(step * mels);
        const seen = Tensors.of(all.slice(0, frames * mels), [1, frames, mels]);
        const { data } = await this.take("embedding", { window: seen }, "embedding");
        const many = Float32Array.of(...this.#embeddings, ...data);
        this.#embeddings = many.subarray(data.length);
        const feeds = { embeddings: Tensors.of(many, [1, embeddings, data.length]) };
        const [listener, checker] = (await this.take("head", feeds, "logits")).data;
        // The probability that the phrase was said.
        const decisive = listener < 0 ? listener : checker, chance = decisive > -700 ? 1 / (1 + Math.exp(-decisive)) : 0;
        return [Math.trunc(Math.min(255, 256 * chance))];
    }

    reset() {
        const { step, mels, frames, embeddings } = this.facts.frontend, { frame, embedding } = this.facts.silence;
        // One call's frames more than an embedding looks at do not fit, so the newest few wait for the next call.
        const held = Math.trunc((frames + step - 1) / step) * step - step;
        this.#frames = new Float32Array(held * mels).fill(frame);
        this.#embeddings = Float32Array.from(Array(embeddings - 1).fill(embedding).flat());
    }
}
