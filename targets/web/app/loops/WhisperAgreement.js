/**
 * Seconds before the end of the sound: a word that ends later may still be cut off; a word that ends earlier than the second
 * is final whatever the last reading said. A word that is less probable is not final because two readings agree.
 */
const FRAYED = 0.7, SETTLED = 1.4, UNSURE = 0.85;

/**
 * Which words of a stream are final. A word is once two readings in a row agree about it (LocalAgreement-2: Machacek, Dabre
 * and Bojar 2023, arXiv:2307.14743), or once it lies so far back that more sound does not help it.
 */
export class WhisperAgreement {
    final = [];
    pending = [];

    /**
     * Makes final what two readings agree about, what is old enough, or all if no more words come; how many words that are.
     * @param {import("./WhisperWords.js").Word[] | null} read words behind the final ones; null: what was pending stays so.
     * @param {number} end of the sound so far, in seconds.
     */
    accept(read, end, all) {
        // No reading agrees with itself.
        const words = read ?? this.pending, earlier = read ? this.pending : [];
        const open = words.findIndex((word, i) => !all && !WhisperAgreement.#isFinal(word, earlier[i], end));
        const count = open < 0 ? words.length : open;
        this.pending = words.slice(count);
        for (const word of words.slice(0, count)) {
            const start = Math.max(word.start, this.final.at(-1)?.end ?? 0);
            this.final.push({ ...word, start, end: Math.max(word.end, start) });
        }
        return count;
    }

    static #isFinal(word, earlier, end) {
        const letters = (one) => one.word.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
        const agreed = earlier && letters(earlier) === letters(word) && word.probability > UNSURE;
        return word.end < end - SETTLED || (agreed && word.end < end - FRAYED);
    }
}
