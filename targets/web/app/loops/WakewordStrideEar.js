import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** microWakeWord: a frontend graph makes the frames of one call of a streaming network, and knows the noise so far. */
export class WakewordStrideEar extends TaskLoop {
    before = 0;
    #noise = new Float32Array(this.facts.frontend.features);

    async look(window) {
        const noise = Tensors.of(this.#noise, [1, this.#noise.length]);
        const made = await this.parts.frontend.run({ audio: Tensors.of(window, [1, window.length]), noise });
        try {
            this.#noise = (await Tensors.read(made.noise_after)).slice();
            return Array.from((await this.take("network", { window: made.window }, "probability")).data);
        } finally {
            Tensors.disposeAll(made);
        }
    }

    reset() {
        this.#noise = new Float32Array(this.#noise.length);
        this.parts.network.reset?.();
    }
}
