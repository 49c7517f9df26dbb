import { KeywordJudge } from "./KeywordJudge.js";
import { KeywordRules } from "./KeywordRules.js";
import { KeywordWindowEar } from "./KeywordWindowEar.js";
import { Numbers } from "./Numbers.js";
import { OpenWakewordEar } from "./OpenWakewordEar.js";
import { Samples } from "./Samples.js";
import { TaskLoop } from "./TaskLoop.js";
import { WakewordStrideEar } from "./WakewordStrideEar.js";

/**
 * Words or a wake phrase in sound at 16 kHz that comes in pieces of any size. What it gives in all does not depend on where
 * the sound was cut. A call waits for the one before it: the caller's task.
 */
export class KeywordDetector extends TaskLoop {
    #rules = new KeywordRules(this.facts);
    /** The words that it can hear; samples in a second. */
    words = this.#rules.labels;
    rate = this.#rules.rate;
    #ear;
    #judge;
    #held;

    constructor(parts, description) {
        super(parts, description);
        const Window = this.#rules.early ? KeywordWindowEar : WakewordStrideEar;
        this.#ear = new (this.facts.silence ? OpenWakewordEar : Window)(parts, description);
        this.reset();
    }

    async answer(golden, watch) {
        const events = await this.feed(KeywordDetector.pcm(golden.audio.data), watch);
        return events.map(({ word, time }) => `${word} at ${Numbers.text(time, 2)} s`).join(", ");
    }

    /** Forgets all sound so far; times count from here. */
    reset() {
        this.#ear.reset();
        [this.#judge, this.#held] = [new KeywordJudge(this.#rules), new Int16Array(this.#ear.before)];
    }

    /** Takes the next samples, an Int16Array; returns the events {word, time, score} that they complete, mostly none. */
    async feed(chunk, watch = () => {}) {
        const { hop } = this.#rules, size = this.#rules.first + this.#ear.before, events = [];
        const all = new Int16Array(this.#held.length + chunk.length);
        all.set(this.#held);
        all.set(chunk, this.#held.length);
        let first = 0;
        try {
            while (all.length - first >= size) {
                const window = Float32Array.from(all.subarray(first, first + size), (sample) => sample / 32768);
                first += hop;
                const event = this.#judge.push(await this.#ear.look(window));
                events.push(...(event ? [event] : []));
                watch(first, all.length);
            }
        } finally {
            this.#held = all.slice(first);
        }
        return events;
    }

    /** Floats in [-1, 1] as the samples that feed() takes. */
    static pcm(samples) {
        Samples.check(samples);
        return Int16Array.from(samples, (value) => Math.max(-32768, Math.min(32767, Numbers.rint(value * 32768))));
    }
}
