import { Numbers } from "./Numbers.js";
import { Pcg64 } from "./Pcg64.js";

const { fround } = Math;

/**
 * Whisper's decoding of one window: greedy, or the best of several samples.
 * @typedef {{tokens: number[], averageLogprob: number, noSpeech: number, complete: boolean, queries: Float32Array[]}} Decoded
 *     tokens without prompt and end of text; an average that includes it; false where the length limit cut it off; the
 *     alignment queries from which each token and the end of the text came, none of samples.
 */
export class WhisperDecoding {
    /** Feeds a prompt; the logits after it, and the probability of no speech. The hypotheses stay the caller's. */
    static async begin(hypotheses, prompt, tokens) {
        const start = prompt.indexOf(tokens.startOfTranscript);
        const [first, logits] = await hypotheses.step([prompt], [start, prompt.length - 1]);
        return { hypotheses, logits, noSpeech: Math.exp(WhisperDecoding.logprob(first, tokens.noSpeech)) };
    }

    /**
     * Greedy at temperature 0, else the most probable of `count` samples.
     * @param {{end: number, limit: number, temperature: number, count: number, seed: number}} how the token that ends a
     *     text; most tokens to sample; a second run with the same seed gives the same text.
     * @returns {Promise<Decoded>}
     */
    static async sample(begun, rules, { end, limit, temperature, count, seed }, check) {
        const random = new Pcg64([seed]), row = new Float32Array(begun.logits.length), queries = [];
        const texts = Array.from({ length: temperature > 0 ? count : 1 }, () => ({ tokens: [], score: 0, done: false }));
        const hypotheses = begun.hypotheses.copy();
        let logits = texts.map(() => begun.logits);
        try {
            if (texts.length > 1) await hypotheses.repeat(texts.length);
            for (let step = 0; step < limit; step++) {
                check();
                if (texts.length === 1 && hypotheses.queries) queries.push(hypotheses.queries);
                const chosen = texts.map((text, i) => {
                    row.set(logits[i]);
                    rules.apply(row, text.tokens);
                    const token = temperature > 0 ? WhisperDecoding.#draw(row, temperature, random) : Numbers.argmax(row);
                    if (!text.done) {
                        text.score += WhisperDecoding.logprob(row, token);
                        text.done = token === end;
                        text.tokens = text.done ? text.tokens : [...text.tokens, token];
                    }
                    return [token];
                });
                if (texts.every(({ done }) => done)) break;
                logits = await hypotheses.step(chosen, [0]);
            }
        } finally {
            hypotheses.close();
        }
        // As in the original, the choice is by length without the end of text, the report by length with it.
        const shares = texts.map(({ score, tokens }) => score / Math.max(tokens.length, 1));
        const { tokens, score, done: complete } = texts[Numbers.argmax(shares)];
        return { tokens, averageLogprob: score / (tokens.length + 1), noSpeech: begun.noSpeech, complete, queries };
    }

    /** A token by its share at a temperature; sums are those of float32, as numpy's. */
    static #draw(row, temperature, random) {
        const divisor = fround(temperature);
        let best = -Infinity, token = 0;
        for (let i = 0; i < row.length; i++) {
            const noisy = fround(fround(row[i] / divisor) + fround(random.gumbel()));
            if (noisy > best) [best, token] = [noisy, i];
        }
        return token;
    }

    /** The logarithm of a token's probability. */
    static logprob(logits, token) {
        const top = logits[Numbers.argmax(logits)];
        let sum = 0;
        for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - top);
        return logits[token] - top - Math.log(sum);
    }
}
