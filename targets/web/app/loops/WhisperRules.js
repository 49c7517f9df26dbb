import { Numbers } from "./Numbers.js";

/** What must not be sampled next (after whisper/decoding.py). */
export class WhisperRules {
    #tokens; #timestamps; #continued; #afterLast; #latestStart;

    /** No timestamp lies behind the window's seconds; a text that is continued has begun already, and may end at once. */
    constructor(tokens, timestamps, seconds, continued) {
        [this.#tokens, this.#timestamps, this.#continued] = [tokens, timestamps, continued];
        this.#afterLast = tokens.firstTimestamp + Numbers.rint(seconds / tokens.secondsPerTimestamp) + 1;
        // The original allows the first timestamp to lie at most one second into the window.
        this.#latestStart = tokens.firstTimestamp + Numbers.rint(1 / tokens.secondsPerTimestamp);
    }

    /** Sets the logits of forbidden tokens to minus infinity, from what the hypothesis sampled so far. */
    apply(row, sampled) {
        const { suppress, suppressAtBegin, noTimestamps } = this.#tokens;
        const begun = this.#continued || sampled.length > 0;
        for (const which of [suppress, begun ? [] : suppressAtBegin, this.#timestamps ? [noTimestamps] : []]) {
            for (const token of which) row[token] = -Infinity;
        }
        row.fill(-Infinity, this.#afterLast);
        if (this.#timestamps) this.#time(row, sampled);
    }

    /** Timestamps come in pairs, never go back, and open the transcript. */
    #time(row, sampled) {
        const first = this.#tokens.firstTimestamp, latest = sampled.findLast((token) => token >= first);
        if (sampled.length === 0) {
            row.fill(-Infinity, 0, first);
            row.fill(-Infinity, this.#latestStart + 1);
            return;
        }
        const last = sampled.at(-1) >= first, before = sampled.length < 2 || sampled.at(-2) >= first;
        if (last) row.fill(-Infinity, before ? first : 0, before ? row.length : this.#tokens.endOfText);
        if (latest !== undefined) {
            // A segment has a length, so its end lies after its start; a start may equal the end before it.
            row.fill(-Infinity, first, latest + (last && !before ? 0 : 1));
        }
        if (WhisperRules.#stampsAreLikelier(row, first)) row.fill(-Infinity, 0, first);
    }

    /** Whether all timestamps together are more probable than the most probable word. */
    static #stampsAreLikelier(row, first) {
        const word = row[Numbers.argmax(row, 0, first)], top = Math.max(word, row[first + Numbers.argmax(row, first)]);
        let sum = 1e-30;
        for (let i = first; i < row.length; i++) sum += Math.exp(row[i] - top);
        return top + Math.log(sum) > word;
    }
}
