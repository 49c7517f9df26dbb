/** White space at both ends, as Python's strip: Unicode's, and four separators of ASCII. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const ENDS = new RegExp(`^${SPACE}|${SPACE}$`, "g");

/** Whisper's vocabulary: the numbers of special tokens, and text from tokens. */
export class WhisperTokens {
    #bytes; #begins; #ends;
    #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

    /** @param {Uint8Array} vocabulary for each token an unsigned 16-bit length and its bytes, little-endian. */
    constructor(facts, vocabulary) {
        [this.startOfTranscript, this.endOfText] = [facts.start_of_transcript, facts.end_of_text];
        [this.noSpeech, this.noTimestamps] = [facts.no_speech, facts.no_timestamps];
        [this.firstTimestamp, this.secondsPerTimestamp] = [facts.first_timestamp, facts.seconds_per_timestamp];
        [this.translate, this.transcribe] = [facts.translate, facts.transcribe];
        [this.suppress, this.suppressAtBegin] = [facts.suppress, facts.suppress_at_begin];
        /** Code to token, such as "en"; empty for a model of a single language. */
        this.languages = facts.languages;
        this.#bytes = vocabulary;
        [this.#begins, this.#ends] = [new Uint32Array(this.endOfText), new Uint32Array(this.endOfText)];
        for (let token = 0, at = 0; token < this.endOfText; token++) {
            this.#begins[token] = at + 2;
            at = this.#ends[token] = at + 2 + vocabulary[at] + 256 * vocabulary[at + 1];
            if (!(at <= vocabulary.length)) throw new Error("vocabulary.bin is cut off");
        }
    }

    /** The text of tokens; special ones and timestamps are left out. Half characters become U+FFFD. */
    text(tokens) {
        const bytes = [];
        for (const token of tokens) {
            for (let at = this.#begins[token]; at < this.#ends[token]; at++) bytes.push(this.#bytes[at]);
        }
        return this.#decoder.decode(Uint8Array.from(bytes));
    }

    /** The time that a timestamp tells, in seconds of its window. */
    seconds(stamp) {
        return (stamp - this.firstTimestamp) * this.secondsPerTimestamp;
    }

    static strip(text) {
        return text.replace(ENDS, "");
    }
}
