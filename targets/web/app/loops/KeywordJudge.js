import { KeywordRules } from "./KeywordRules.js";
import { Numbers } from "./Numbers.js";

/** From scores, look by look, to events: smoothed, above a limit, and not right after another. Whole numbers. */
export class KeywordJudge {
    #looks = 0;
    #quiet = 0;

    constructor(rules) {
        this.rules = rules;
        this.held = Array.from({ length: rules.smoothed }, () => new Int32Array(rules.labels.length));
    }

    /** Scores of the next look; returns the event {word, time, score} that they complete, mostly null. */
    push(scores) {
        const { labels, smoothed, early, limit, refractory, first, hop, rate } = this.rules, look = this.#looks++;
        this.held[look % smoothed].set(scores.slice(0, labels.length));
        if (!early && this.#looks < smoothed) {
            return null;
        }
        const totals = labels.map((_, word) => this.held.reduce((sum, earlier) => sum + earlier[word], 0));
        const best = Numbers.argmax(totals), quiet = this.#quiet > 0;
        this.#quiet = quiet ? this.#quiet - 1 : totals[best] > limit ? refractory : 0;
        const time = Numbers.round((first + look * hop) / rate, 3);
        const score = Numbers.round(totals[best] / smoothed / KeywordRules.STEPS, 3);
        return quiet || totals[best] <= limit ? null : { word: labels[best], time, score };
    }
}
