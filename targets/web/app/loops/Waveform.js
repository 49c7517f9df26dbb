import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { Tensors } from "./Tensors.js";

/** Added to a variance before its root: transformers' own number. */
const LEAST = 1e-7;

/** A sound as the windows of samples that a network takes. */
export class Waveform {
    /** spec: the input that takes the samples, [1, N]. */
    constructor({ sample_rate: rate, most, least, normalise }, spec) {
        const fixed = Tensors.axis(spec, 1);
        Object.assign(this, { rate, fixed, most: Math.min(fixed || Infinity, most), least, normalise });
    }

    /** The samples of the window that begins at `start`; none behind the last one that is long enough. */
    window(sound, start) {
        const { length } = Samples.window(sound, start, this.most);
        if (start === 0 && length < this.least) {
            const [has, least] = [length, this.least].map((count) => Numbers.text(count / this.rate, 2));
            throw new RangeError(`the sound has ${has} s; the network takes ${least} s at least`);
        }
        return sound.subarray(start, length < this.least ? start : start + length);
    }

    /** A window as the network takes it: with a mean of 0 and a variance of 1 where it asks for that, zeros behind. */
    input(held) {
        const values = new Float32Array(this.fixed || held.length);
        values.set(held);
        if (this.normalise) {
            let sum = 0, squares = 0;
            for (let i = 0; i < held.length; i++) {
                sum += held[i];
            }
            const mean = sum / held.length;
            for (let i = 0; i < held.length; i++) {
                squares += (held[i] - mean) * (held[i] - mean);
            }
            const deviation = Math.sqrt(squares / held.length + LEAST);
            for (let i = 0; i < held.length; i++) {
                values[i] = (held[i] - mean) / deviation;
            }
        }
        return Tensors.of(values, [1, values.length]);
    }
}
