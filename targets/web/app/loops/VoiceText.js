/** White space of any script. */
const SPACE = "[ \\t-\\r\\x1c-\\x1f\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const SPACES = new RegExp(SPACE, "g"), ENDS = new RegExp(`^${SPACE}|${SPACE}$`, "g");
/** Phonemes that stand in a text; marks that end a clause; those of them that end a sentence. */
const BRACKETS = /\[\[(.*?)\]\]/gs, CLAUSE = /([.,;:!?\u2026\u2014]+["'\u201d\u2019)\]]*)(?= |$)/g;
const END = new RegExp(`([.!?])${SPACE}`, "g");
/** Titles and initials, whose full stop ends nothing. */
const TITLE = /(?:^|[ ("'\u201c\u2018])(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Rev|Hon|Jr|Sr|vs|No|[A-Z])$/;

/** From a text to the phonemes that a voice reads, a sentence at a time. */
export class VoiceText {
    /**
     * The phonemes of a text with its marks, decomposed. What stands in double brackets is taken as phonemes.
     * @param {((clause: string) => string | Promise<string>) | null} phonemizer the app's own way from words to phonemes, in
     *     the International Phonetic Alphabet as espeak-ng writes it, without marks; none: there are no words.
     */
    static async phonemes(text, phonemizer) {
        const pieces = [];
        let from = 0;
        for (const found of text.matchAll(BRACKETS)) {
            pieces.push(await VoiceText.#speak(text.slice(from, found.index), phonemizer), VoiceText.#trim(found[1]));
            from = found.index + found[0].length;
        }
        pieces.push(await VoiceText.#speak(text.slice(from), phonemizer));
        return VoiceText.check(pieces.filter(Boolean).join(" "));
    }

    /** A string of phonemes, decomposed, of which there must be one. */
    static check(phonemes) {
        const plain = VoiceText.#trim(phonemes).normalize("NFD");
        if (!/\p{L}/u.test(plain)) {
            throw new RangeError("there is nothing to read in this text");
        }
        return plain;
    }

    /** The sentences of a string of phonemes, each with its mark. */
    static sentences(phonemes) {
        return phonemes.replace(END, "$1\0").split("\0").map(VoiceText.#trim).filter(Boolean);
    }

    /** The phonemes of words, a mark after each clause. */
    static async #speak(words, phonemizer) {
        const held = VoiceText.#trim(words.replace(SPACES, " ")), made = [];
        let from = 0;
        for (const { 1: marks, index } of held.matchAll(CLAUSE)) {
            if (!marks.startsWith(".") || !TITLE.test(held.slice(from, index))) {
                const end = index + marks.length;
                made.push(await VoiceText.#clause(held.slice(from, end), VoiceText.#mark(marks), phonemizer));
                from = end;
            }
        }
        made.push(await VoiceText.#clause(held.slice(from), "", phonemizer));
        return made.filter(Boolean).join(" ");
    }

    static async #clause(words, mark, phonemizer) {
        if (!/[\p{L}\p{N}]/u.test(words)) {
            return "";
        }
        if (!phonemizer) {
            throw new RangeError("a voice reads phonemes: give them in [[ ]], or give a phonemizer");
        }
        // Words of other languages are marked by espeak-ng, such as "(fr)".
        const read = VoiceText.#trim((await phonemizer(words)).replace(/\([^)]*\)/g, "").replace(SPACES, " "));
        return read && read + mark;
    }

    /** The mark that a voice knows: of several the strongest. */
    static #mark(marks) {
        const known = marks.replaceAll("\u2014", ",").replaceAll("\u2026", ".");
        return ["?", "!", ",", ";", ":"].find((mark) => known.includes(mark)) ?? ".";
    }

    static #trim(text) {
        return text.replace(ENDS, "");
    }
}
