/** How scores become events; an operating point in the bundle has the last word about the limit. */
export class KeywordRules {
    /** Scores are 0 to 255 in steps of 1 / 256. */
    static STEPS = 256;

    constructor({ rules, frontend, labels, silence, operating_point: point }) {
        const { step } = frontend, made = { labels, smoothed: rules.smoothed, early: true };
        if (silence) { // openWakeWord
            const limit = Math.ceil(rules.cutoff * KeywordRules.STEPS) - 1, hop = frontend.hop;
            Object.assign(made, { smoothed: 1, limit, hop, first: frontend.samples - hop });
        } else if (rules.words !== undefined) { // words in the last second
            const limit = rules.threshold * rules.smoothed, first = frontend.window + (rules.frames - 1) * step;
            Object.assign(made, { labels: labels.slice(0, rules.words), limit, hop: rules.hop * step, first });
        } else { // microWakeWord
            const limit = KeywordRules.#limit(rules.cutoff, rules.smoothed), hop = rules.stride * step;
            Object.assign(made, { early: false, limit, hop, first: frontend.window + hop - step });
        }
        /** Looks whose scores are added; the largest sum that is no event; looks after an event in which none can follow. */
        [this.smoothed, this.limit, this.refractory] = [made.smoothed, point?.limit ?? made.limit, rules.refractory];
        /** Whether looks before the first count as silence (else the first window of looks must be whole). */
        [this.labels, this.early] = [made.labels, made.early];
        /** Samples until the first look, from a look to the next, and in a second. */
        [this.first, this.hop, this.rate] = [made.first, made.hop, frontend.rate];
        if (!(this.limit >= 0 && this.limit <= KeywordRules.STEPS * this.smoothed)) {
            throw new Error(`the bundle's operating point has the limit ${this.limit}`);
        }
    }

    /** The largest sum of so many scores whose mean does not exceed the cutoff. */
    static #limit(cutoff, smoothed) {
        const steps = KeywordRules.STEPS * smoothed;
        let limit = 0;
        while (limit + 1 < steps && (limit + 1) / steps <= cutoff) {
            limit++;
        }
        return limit;
    }
}
