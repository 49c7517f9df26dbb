import { Numbers } from "./Numbers.js";
import { WhisperAttention } from "./WhisperAttention.js";
import { WhisperDecoding } from "./WhisperDecoding.js";
import { WhisperPauses } from "./WhisperPauses.js";
import { WhisperTokens } from "./WhisperTokens.js";

/** Samples, and positions of the encoder, a second. */
const RATE = 16_000, SECOND = 50;
/** Marks that belong to the word after them, to the word before them, and that begin a word. */
const PREPENDED = "\"'\u201c\u00bf([{-", APPENDED = "\"'.\u3002,,!!??::\u201d)]}\u3001";
const MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/** Languages that put no spaces between words. */
const UNSPACED = ["zh", "ja", "th", "lo", "my", "yue"];
/** Seconds: how far from a border of the attention a pause may lie, and what a word keeps at least. */
const REACH = 0.35, LEAST = 0.02;

/**
 * The times of words, from the heads of cross-attention that follow the sound: the decoder reads the finished text once more
 * (after whisper/timing.py). What is not the original's comes last: a pause belongs to no word.
 * @typedef {{word: string, tokens: number[], start: number, end: number, probability: number}} Word as the network wrote it,
 *     with its space in front; times in seconds.
 */
export class WhisperWords {
    #tokens; #attention;

    /** @param {number[][]} heads the layer and head of each alignment query. @param cross what the encoder said. */
    constructor(tokens, heads, cross) {
        [this.#tokens, this.#attention] = [tokens, new WhisperAttention(heads, cross)];
    }

    /** A word as callers get it: without space around it, its times from `begin` on, in whole milliseconds. */
    static facts({ word, start, end, probability }, begin = 0) {
        const [from, to] = [start, end].map((time) => Numbers.round(begin + time, 3));
        return { word: WhisperTokens.strip(word), start: from, end: to, probability };
    }

    /** Begin and end in seconds of the longest stretch at which no token looks; with queries of the end of the text too. */
    async gap(queries, seconds) {
        const looks = (await this.#attention.looks(queries)).map((at) => Math.min(at / SECOND, seconds));
        let longest = [0, 0], before = 0;
        for (const look of [...looks.sort((a, b) => a - b), seconds]) {
            longest = look - before > longest[1] - longest[0] ? [before, look] : longest;
            before = look;
        }
        return longest;
    }

    /**
     * The words of a window, with their spaces; times count from its start.
     * @param {number[]} kept the tokens that count, without those of the `prompt`; special ones are left out.
     * @returns {Promise<Word[]>}
     */
    async align(hypotheses, prompt, kept, samples, language) {
        const { endOfText } = this.#tokens, text = kept.filter((token) => token < endOfText), from = prompt.length - 1;
        if (text.length === 0) return [];
        const all = [...prompt, ...text, endOfText];
        const { logits, queries } = await hypotheses.read(all, text.map((_, i) => from + i));
        const heard = Math.min(Math.max(Math.trunc((samples.length * SECOND) / RATE), 1), this.#attention.positions);
        const weights = await this.#attention.weights(queries.data, all.length, heard);
        // A token begins where its row begins; the end of the text begins where the last token ends.
        const begins = WhisperAttention.path(weights.slice(from, from + text.length + 1));
        const odds = text.map((token, i) => Math.exp(WhisperDecoding.logprob(logits[i].subarray(0, endOfText), token)));
        let at = 0;
        const words = this.#groups(text, !UNSPACED.includes(language)).map((tokens) => {
            const start = begins[at] / SECOND, sum = odds.slice(at, at + tokens.length).reduce((a, b) => a + b, 0);
            at += tokens.length;
            const end = begins[at] / SECOND, probability = sum / tokens.length;
            return { word: this.#tokens.text(tokens), tokens, start, end, probability };
        });
        return WhisperWords.#trim(WhisperWords.#punctuate(words), new WhisperPauses(samples));
    }

    /** Tokens by word. A word begins with a space, or is a mark; without spaces, each whole character is a word. */
    #groups(text, spaced) {
        const words = [];
        let group = [];
        for (const [i, token] of text.entries()) {
            group.push(token);
            const letters = this.#tokens.text(group), mark = MARKS.includes(WhisperTokens.strip(letters));
            if (letters.includes("\ufffd") && i + 1 < text.length) continue; // half a character stays with what follows
            words.push(!spaced || letters.startsWith(" ") || mark ? group : [...(words.pop() ?? []), ...group]);
            group = [];
        }
        return words;
    }

    /** Marks joined to their word, which keeps its own times. */
    static #punctuate(words) {
        const joined = [];
        let pending = { word: "", tokens: [] };
        const join = (one, other) => ({ word: one.word + other.word, tokens: [...one.tokens, ...other.tokens] });
        for (const word of words) {
            const mark = WhisperTokens.strip(word.word), spaced = word.word.startsWith(" ");
            if (joined.length > 0 && mark && !spaced && APPENDED.includes(mark)) {
                Object.assign(joined.at(-1), join(joined.at(-1), word));
            } else if (spaced && mark && PREPENDED.includes(mark)) {
                pending = join(pending, word);
            } else {
                joined.push({ ...word, ...join(pending, word) });
                pending = { word: "", tokens: [] };
            }
        }
        return joined;
    }

    /**
     * Words without the pauses between them. Attention gives a pause to a neighbour, and finds the end of a word early or
     * late: the longest pause about a border becomes the border.
     */
    static #trim(words, pauses) {
        const first = words[0], final = words.at(-1);
        if (first && pauses.loud) {
            first.start = Math.min(Math.max(first.start, pauses.loud.first), first.end);
            final.end = Math.max(Math.min(final.end, pauses.loud.last), final.start);
        }
        for (let i = 1; i < words.length; i++) {
            const before = words[i - 1], after = words[i], early = Math.max(after.start - REACH, before.start + LEAST);
            const pause = pauses.longest(early, Math.min(after.start + REACH, after.end - LEAST));
            if (pause) {
                before.end = Math.max(pause[0], before.start + LEAST);
                after.start = Math.min(pause[1], Math.max(after.end - LEAST, pause[0]));
            }
        }
        return words.map((word) => {
            const [start, end] = [word.start, Math.max(word.start, word.end)].map((time) => Numbers.round(time, 3));
            return { ...word, start, end };
        });
    }
}
