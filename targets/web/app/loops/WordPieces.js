/** A longer word is unknown, in letters. */
const LONGEST = 100;
const SPACES = /[\p{Z}\t\n\r]/gu, NOTHING = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/gu, PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/u;
/** Letters that are words by themselves. */
const IDEOGRAPHS = new RegExp(
    "[\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b73f}\\u{2b740}-\\u{2b81f}\\u{2b920}-\\u{2ceaf}" +
        "\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}]", "gu");

/** Texts to the tokens of WordPiece vocabularies of BERT's kind: words, then their longest pieces. */
export class WordPieces {
    #numbers = new Map();
    #rules;

    /**
     * @param {Uint8Array} vocabulary for each token in order its length in 16 bits, and its bytes.
     * @param {object} rules "tokenizer" of the bundle's facts; what it does not say is as BERT does it for text in lower case.
     *     "special" and "late" are tokens that a text may name: as it stands, and once it is plain.
     */
    constructor(vocabulary, rules) {
        const letters = new TextDecoder("utf-8", { ignoreBOM: true });
        for (let at = 0, size; at + 1 < vocabulary.length; at += 2 + size) {
            size = vocabulary[at] | (vocabulary[at + 1] << 8);
            this.#numbers.set(letters.decode(vocabulary.subarray(at + 2, at + 2 + size)), this.#numbers.size);
        }
        const special = ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"], frame = ["[CLS]", "[SEP]"];
        this.#rules = { special, frame, late: [], unknown: "[UNK]", lower: true, accents: false, ...rules };
        this.pad = this.#number(rules.pad);
    }

    /** The tokens of a text between a first and a last special token, cut to `most`. */
    tokens(text, most) {
        const { special, late, frame } = this.#rules, tokens = [this.#number(frame[0])];
        for (const [stretch, mark] of WordPieces.#part(text, special)) {
            for (const [words, name] of WordPieces.#part(this.#plain(stretch), late)) {
                this.#addWords(words, tokens);
                tokens.push(...(name ? [this.#number(name)] : []));
            }
            tokens.push(...(mark ? [this.#number(mark)] : []));
        }
        return [...tokens.slice(0, most - 1), this.#number(frame[1])];
    }

    /** Stretches of a text, each with the mark behind it. Of two marks at a place the longer one counts. */
    static #part(text, marks) {
        const parts = [], escape = (mark) => mark.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
        const any = [...marks].sort((a, b) => b.length - a.length).map(escape).join("|");
        let from = 0;
        for (const found of any ? text.matchAll(new RegExp(any, "g")) : []) {
            parts.push([text.slice(from, found.index), found[0]]);
            from = found.index + found[0].length;
        }
        return [...parts, [text.slice(from), ""]];
    }

    #number(token) {
        const number = this.#numbers.get(token);
        if (number === undefined) {
            throw new Error(`the vocabulary has no ${token}`);
        }
        return number;
    }

    /** Without control characters, without accents and in lower case, as the rules say; spaces around ideographs. */
    #plain(text) {
        const { accents, lower } = this.#rules;
        const cleaned = text.replace(SPACES, " ").replace(NOTHING, "").replace(IDEOGRAPHS, " $& ");
        const plain = accents ? cleaned : cleaned.normalize("NFD").replace(/\p{Mn}/gu, "");
        // Letter by letter: a sigma knows no end of a word here.
        return lower ? Array.from(plain, (letter) => letter.toLowerCase()).join("") : plain;
    }

    #addWords(plain, tokens) {
        let word = "";
        for (const letter of plain) {
            const alone = PUNCTUATION.test(letter);
            if (letter === " " || alone) {
                this.#addPieces(word, tokens);
                word = "";
            }
            if (alone) {
                this.#addPieces(letter, tokens);
            } else if (letter !== " ") {
                word += letter;
            }
        }
        this.#addPieces(word, tokens);
    }

    /** Adds the longest pieces of a word; one that cannot be spelt is unknown as a whole. */
    #addPieces(word, tokens) {
        const pieces = [];
        let start = 0;
        while (start < word.length && (word.length <= LONGEST || [...word].length <= LONGEST)) {
            let end = word.length, number;
            while (number === undefined && end > start) {
                number = this.#numbers.get((start > 0 ? "##" : "") + word.slice(start, end--));
            }
            if (number === undefined) {
                break;
            }
            pieces.push(number);
            start = end + 1;
        }
        tokens.push(...(start === word.length ? pieces : [this.#number(this.#rules.unknown)]));
    }
}
