import { Tensors } from "./Tensors.js";

/**
 * A streaming detector of speech: it takes samples in pieces, keeps its state between them, and gives a probability of
 * speech for every frame. The answers do not depend on where the sound was cut.
 */
export class SpeechListener {
    /** Samples of a frame; the network sees those of the context before it, too. */
    hop;
    #context;
    #network;
    /** Input to the output that is its next value. */
    #next;
    #states = {};
    #held;

    /** @param facts "detector" of the bundle's facts, or all of a detector's own bundle. */
    constructor(network, part, facts) {
        this.#network = network;
        this.hop = facts.hop;
        this.#context = facts.context;
        this.#next = facts.states;
        this.#held = new Float32Array(facts.context);
        for (const { name, shape } of part.inputs) {
            if (name in facts.states) {
                this.#states[name] = Tensors.of(new Float32Array(Tensors.size(shape)), shape);
            }
        }
    }

    /**
     * The probabilities of the frames that `samples` complete.
     * @param {() => void} [check] runs before each, and may throw.
     * @returns {Promise<number[]>}
     */
    async push(samples, check) {
        const all = new Float32Array(this.#held.length + samples.length), heard = [], size = this.#context + this.hop;
        all.set(this.#held);
        all.set(samples, this.#held.length);
        let start = 0;
        for (; all.length - start >= size; start += this.hop) {
            check?.();
            heard.push(await this.#probability(all.slice(start, start + size)));
        }
        this.#held = all.slice(start);
        return heard;
    }

    /** The probability of the last frame, filled with zeros; nothing if no samples are left. */
    async finish(check) {
        const left = this.#held.length - this.#context;
        return left === 0 ? [] : this.push(new Float32Array(this.hop - left), check);
    }

    async #probability(window) {
        const made = await this.#network.run({ ...this.#states, audio: Tensors.of(window, [1, window.length]) });
        for (const [name, after] of Object.entries(this.#next)) {
            Tensors.dispose(this.#states[name]);
            this.#states[name] = made[after];
            delete made[after];
        }
        try {
            return (await Tensors.read(made.probability))[0];
        } finally {
            Tensors.disposeAll(made);
        }
    }

    /** Gives memory back to the runtime; a second call does nothing. */
    close() {
        Tensors.disposeAll(this.#states);
        this.#states = {};
    }
}
