/**
 * How spans of speech follow from probabilities. All but the first two are seconds. The defaults are those of Silero VAD's
 * get_speech_timestamps.
 */
export class SpeechRules {
    /**
     * @param {{threshold?: number, release?: number, shortest?: number, pause?: number, padding?: number,
     *     longest?: number, cut?: number}} rules speech begins at `threshold` and ends below `release`; speech that is not
     *     longer than `shortest` is dropped, and silence shorter than `pause` does not end a span; `padding` is added at
     *     both sides; a span is cut before it gets longer than `longest`, in a pause longer than `cut`, else where it is.
     */
    constructor(rules = {}) {
        this.threshold = rules.threshold ?? 0.5;
        this.release = rules.release ?? Math.max(this.threshold - 0.15, 0.01);
        this.shortest = rules.shortest ?? 0.25;
        this.pause = rules.pause ?? 0.1;
        this.padding = rules.padding ?? 0.03;
        this.longest = rules.longest ?? Infinity;
        this.cut = rules.cut ?? 0.098;
        const { threshold, release, shortest, pause, padding, longest, cut } = this;
        if (!(threshold <= 1 && release >= 0 && release <= threshold && Math.min(shortest, pause, padding, cut) >= 0)) {
            throw new RangeError("a threshold is at most 1, a release at most the threshold, nothing below 0");
        }
        if (!(longest >= 1)) {
            throw new RangeError(`spans of ${longest} s at most are too short: one second at least`);
        }
    }
}
