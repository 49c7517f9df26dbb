const RATE = 16_000, FRAME = 160;
/** How far above the quiet speech is, as a share of the range in dB; seconds: what is shorter is a closure in a word. */
const ABOVE = 0.25, SHORTEST = 0.08;

/** Where a sound is quiet, by its energy in frames of 10 ms. */
export class WhisperPauses {
    /** Begin and end in seconds of each stretch between louder ones. */
    #pauses = [];
    /** Seconds at which the first loud frame begins and the last one ends; null: there is none. */
    loud = null;

    constructor(samples) {
        const level = Float64Array.from({ length: Math.trunc(samples.length / FRAME) }, (_, i) => {
            let sum = 0;
            for (let j = i * FRAME; j < (i + 1) * FRAME; j++) sum += samples[j] * samples[j];
            return 10 * Math.log10(sum / FRAME + 1e-10);
        });
        const sorted = level.slice().sort(), seconds = (frame) => (frame * FRAME) / RATE;
        const quiet = WhisperPauses.#percentile(sorted, 0.1), top = WhisperPauses.#percentile(sorted, 0.95);
        for (let i = 0, before = -1; i < level.length; i++) {
            if (level[i] > quiet + ABOVE * (top - quiet)) {
                const pause = before >= 0 && before + 1 < i && seconds(i) - seconds(before + 1) >= SHORTEST;
                if (pause) this.#pauses.push([seconds(before + 1), seconds(i)]);
                this.loud = { first: this.loud?.first ?? seconds(i), last: seconds(i) + seconds(1) };
                before = i;
            }
        }
    }

    /** Begin and end of the longest pause that begins before `late` and ends after `early`; of equal ones the last. */
    longest(early, late) {
        const near = this.#pauses.filter(([begin, end]) => begin < late && end > early);
        return near.reduce((most, pause) => (most && most[1] - most[0] > pause[1] - pause[0] ? most : pause), null);
    }

    /** Between the two nearest values, as numpy's. */
    static #percentile(sorted, share) {
        const at = share * (sorted.length - 1), below = Math.trunc(at), above = Math.min(below + 1, sorted.length - 1);
        const part = at - below, step = sorted[above] - sorted[below];
        return part >= 0.5 ? sorted[above] - step * (1 - part) : sorted[below] + step * part;
    }
}
