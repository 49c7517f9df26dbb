/** Phonemes as ids of a voice's table, in pieces that a network takes at once. */
export class VoiceAlphabet {
    #table;

    /** @param {Record<string, number[]>} facts phoneme to its ids: "_" stands between all, "^" and "$" at begin and end. */
    constructor(facts) {
        this.#table = new Map(Object.entries(facts));
    }

    /** The phonemes that it does not know, which are left out. */
    unknown(phonemes) {
        return [...new Set(phonemes)].filter((letter) => !this.#table.has(letter)).sort();
    }

    /** The ids of a sentence; of a long one in pieces of at most `most` ids, cut behind a comma or a word. */
    pieces(sentence, most) {
        const ids = (letter) => this.#table.get(letter), [between, begin, end] = ["_", "^", "$"].map(ids), pieces = [];
        let known = [...sentence].filter((letter) => this.#table.has(letter));
        if (!known.some((letter) => /\p{L}/u.test(letter))) {
            throw new RangeError("the voice knows no phoneme of this sentence");
        }
        const widest = Math.max(...known.map((letter) => ids(letter).length + between.length));
        const room = Math.max(1, Math.trunc((most - begin.length - between.length - end.length) / widest));
        while (known.length) {
            const cut = VoiceAlphabet.#cut(known, room), letters = known.slice(0, cut);
            pieces.push([...begin, ...between, ...letters.flatMap((letter) => [...ids(letter), ...between]), ...end]);
            known = known.slice(cut);
        }
        return pieces;
    }

    /** How many letters go into the next piece. */
    static #cut(letters, room) {
        if (letters.length <= room) {
            return letters.length;
        }
        const places = [];
        for (let at = room - 1; at > room >> 1; at--) {
            if (letters[at] === " ") {
                places.push(at);
            }
        }
        return (places.find((at) => ",;:".includes(letters[at - 1])) ?? places[0] ?? room - 1) + 1;
    }
}
