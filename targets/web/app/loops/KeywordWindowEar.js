import { Numbers } from "./Numbers.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** From a window of samples to scores 0 to 255 of every class: a frontend graph over the whole window of the network. */
export class KeywordWindowEar extends TaskLoop {
    before = 0;

    /** Scores of the window, whose samples are in [-1, 1). */
    async look(window) {
        const features = await this.parts.frontend.run({ audio: Tensors.of(window, [1, window.length]) });
        try {
            const { data } = await this.take("network", { window: features.window });
            const signed = this.spec("network", "outputs").dtype === "int8";
            return signed ? Array.from(data, (score) => score + 128) : KeywordWindowEar.#shares(data);
        } finally {
            Tensors.disposeAll(features);
        }
    }

    static #shares(logits) {
        const top = logits[Numbers.argmax(logits)], odds = Array.from(logits, (logit) => Math.exp(Math.fround(logit - top)));
        const sum = odds.reduce((all, one) => all + one, 0);
        return odds.map((odd) => Math.max(0, Math.min(255, Numbers.rint((256 * odd) / sum))));
    }

    reset() {}
}
