import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { WhisperAgreement } from "./WhisperAgreement.js";
import { WhisperCuts } from "./WhisperCuts.js";
import { WhisperRecognizer } from "./WhisperRecognizer.js";
import { WhisperRun } from "./WhisperRun.js";
import { WhisperSigns } from "./WhisperSigns.js";
import { WhisperTokens } from "./WhisperTokens.js";
import { WhisperWords } from "./WhisperWords.js";

/** Samples a second; those of a chunk that are taken at once. */
const RATE = 16_000, PIECE = 2 * RATE;
/** Seconds of new sound that a reading waits for; on a slow device this share of its own time, if that is more. */
const STEP = 0.4, PATIENCE = 1.1;
/** Seconds: a buffer that is longer is cut; what is left of it at most, and in silence; the most that it ever has. */
const LONG = 10, LEFT = 8, KEPT = 2, MOST = 28;
/** Seconds: of the encoder's window at least; of a silence that ends an utterance, and what is kept of it. */
const WINDOW = 15, PAUSE = 0.7, MOMENT = 0.4;
/** Tokens of a reading at most, and more for each second of new sound; seconds by which another word may begin too early. */
const LEAST = 12, PACE = 8, BORDER = 0.1;

/**
 * Speech to text while somebody speaks: mono sound at 16 kHz in pieces of any size.
 *
 * A buffer of the last seconds is transcribed again and again, each time beginning with its final words (WhisperAgreement
 * tells which those are). Where the buffer grew long it is cut in a pause: an hour needs no more memory than half a minute.
 * The rules and numbers are those of models/whisper/loop/stream.py, and docs/speech.md has what they were measured by.
 * One call at a time; after one that was cancelled there is nothing left to do but to close it.
 * @typedef {{text: string, words: object[], pending: string, notes: string[]}} Heard what a chunk changed: words that are
 *     final since the last chunk, as a text and with their times from the begin of the stream; what may come next, and may
 *     change; what the listener should know: a device that is too slow.
 */
export class WhisperStream {
    #recognizer; #options; #listener; #clock; #language;
    #agreement = new WhisperAgreement();
    #buffer = new Float32Array(0);
    /** Of the buffer, in samples of the stream. */
    #begin = 0;
    /** The first final word that lies in the buffer. */
    #first = 0;
    /** Samples that no reading has seen. */
    #fresh = 0;
    /** End of the last frame with speech since the buffer was cut (-1: there is none), and of the last frame, in samples. */
    #spoken = -1;
    #heardUntil = 0;
    #step = STEP;
    #ended = false;

    /**
     * @param listener a fresh detector of speech, closed with this; null: everything may be speech.
     * @param {() => number} clock seconds, of which differences count.
     */
    constructor(recognizer, options, listener, clock) {
        [this.#recognizer, this.#options, this.#listener, this.#clock] = [recognizer, options, listener, clock];
        this.#language = options.language ?? null;
    }

    /**
     * Takes the next samples, of any number, and says what is new. Returns at once while there are few. Throws a RangeError
     * for values that are not numbers, and the stream goes on without that chunk. `watch` is told the seconds of the stream.
     * @type {(chunk: Float32Array, watch?: (done: number, total: number) => void) => Promise<Heard>}
     */
    async feed(chunk, watch = () => {}) {
        this.#check();
        Samples.check(chunk, "chunk");
        const notes = [], check = () => watch(this.#end, this.#end);
        let count = 0;
        // A chunk of minutes is taken in pieces, each of which is new sound for a reading.
        for (let at = 0; at < Math.max(chunk.length, 1); at += PIECE) {
            await this.#take(chunk.subarray(at, at + PIECE), check);
            const paused = this.#listener && this.#heardUntil - this.#spoken > PAUSE * RATE;
            const nobody = this.#listener && this.#spoken < 0, full = this.#buffer.length >= MOST * RATE;
            // A buffer that has what a window may have is read, however slow the device is.
            if (!nobody && (paused || full || this.#fresh >= this.#step * RATE)) {
                count += await this.#transcribe(notes, paused, full, check);
            }
            if (nobody || paused) this.#forget();
        }
        return this.#update(count, notes);
    }

    /**
     * What became final at the end, as of one more chunk; and the `whole` text. The stream takes no more.
     * @returns {Promise<{last: Heard, whole: {text: string, language: string | null, words: object[]}}>}
     */
    async end(watch = () => {}) {
        this.#check();
        this.#ended = true;
        let count = 0;
        if ((this.#fresh > 0 || this.#agreement.pending.length > 0) && (!this.#listener || this.#spoken >= 0)) {
            count = this.#accept(await this.#read(() => watch(this.#end, this.#end)), true);
        }
        this.close();
        const { text, words } = this.#update(this.#agreement.final.length, []);
        return { last: this.#update(count, []), whole: { text, language: this.#language, words } };
    }

    #check() {
        if (this.#ended) throw new Error("the stream has ended; begin another");
    }

    /** Gives memory back to the runtime; a second call does nothing. */
    close() {
        this.#listener?.close();
    }

    /** Appends new samples, and asks the detector about them. */
    async #take(piece, check) {
        const longer = new Float32Array(this.#buffer.length + piece.length);
        longer.set(this.#buffer);
        longer.set(piece, this.#buffer.length);
        [this.#buffer, this.#fresh] = [longer, this.#fresh + piece.length];
        for (const probability of (await this.#listener?.push(piece, check)) ?? []) {
            this.#heardUntil += this.#listener.hop;
            if (probability >= WhisperCuts.RULES.threshold) this.#spoken = this.#heardUntil;
        }
    }

    /** Seconds of the stream at which the buffer ends. */
    get #end() {
        return (this.#begin + this.#buffer.length) / RATE;
    }

    /** Drops what nobody speaks in, but for the last moment: a word may have begun. */
    #forget() {
        this.#cut(this.#buffer.length / RATE - MOMENT);
        [this.#first, this.#spoken, this.#fresh] = [this.#agreement.final.length, -1, 0];
    }

    /** The last `count` final words. */
    #update(count, notes) {
        const { final, pending } = this.#agreement, words = final.slice(final.length - count);
        const text = (all) => WhisperTokens.strip(all.map(({ word }) => word).join(""));
        return { text: text(words), words: words.map((word) => WhisperWords.facts(word)), pending: text(pending), notes };
    }

    /** Reads the buffer; how many words became final: all of them, if it is settled that no more come. */
    async #transcribe(notes, settled, full, check) {
        const began = this.#clock(), seconds = this.#fresh / RATE;
        const accepted = this.#accept(await this.#read(check), settled), took = this.#clock() - began;
        // A device that needs longer than the sound lasts works on longer pieces; none of the sound is dropped.
        this.#step = Math.max(STEP, PATIENCE * took);
        if (took > (full ? 1 : 2) * Math.max(seconds, STEP)) {
            const [needed, lasted] = [took, seconds].map((time) => Numbers.text(time, 1));
            notes.push(`this device took ${needed} s for ${lasted} s of new sound: the text comes late`);
        }
        return accepted;
    }

    /** The words of the buffer behind those that are final, at times of the stream; null where the network loops. */
    async #read(check) {
        this.#fresh = 0;
        if (WhisperSigns.silent(this.#buffer)) return [];
        const { final } = this.#agreement, held = final.slice(this.#first);
        if (final.length === 0) this.#language = this.#options.language ?? null; // of a few syllables it is a guess
        const words = await this.#recognize(held.flatMap(({ tokens }) => tokens), check);
        if (words || held.length === 0) return words && words.slice(held.length);
        // It loops: read anew, and tell by their times which words are final already.
        const border = held.at(-1).end - BORDER, anew = await this.#recognize([], check);
        return anew && anew.filter(({ start }) => start > border);
    }

    /** All words of the buffer, which begin with the tokens `prefix`; null where what comes out looks wrong. */
    async #recognize(prefix, check) {
        const from = this.#begin / RATE, known = prefix.length > 0 ? this.#agreement.final.at(-1).end - from : 0;
        const run = new WhisperRun(this.#options, check), buffer = this.#buffer;
        run.most = LEAST + Numbers.rint(PACE * (buffer.length / RATE - Math.max(known, 0)));
        [run.language, run.window, run.prefix] = [this.#language, WINDOW, prefix];
        const recognized = await this.#recognizer.recognize(buffer, run, false), { result, doubt } = recognized;
        try {
            this.#language = run.language;
            if (prefix.length === 0 && WhisperRecognizer.silent(result)) return [];
            if (doubt && doubt !== "improbable") return null;
            const words = await this.#recognizer.words(recognized, [...prefix, ...result.tokens], buffer, run);
            return words.map((word) => ({ ...word, start: from + word.start, end: from + word.end }));
        } finally {
            this.#recognizer.close(recognized);
        }
    }

    /** Makes words final, and shortens the buffer; how many there are. */
    #accept(read, settled) {
        const count = this.#agreement.accept(read, this.#end, settled);
        if (this.#buffer.length > LONG * RATE) this.#shorten(this.#begin / RATE, this.#buffer.length / RATE);
        return count;
    }

    /**
     * Cuts a buffer that grew long: in the longest pause before a final word, which stays, so that a border that is a little
     * wrong costs nothing; where nobody spoke for long, near its end.
     */
    #shorten(from, length) {
        const border = from + length - LEFT;
        const { final, pending } = this.#agreement, held = final.slice(this.#first), last = held.at(-1)?.end ?? 0;
        const silent = pending.length === 0 && (held.length === 0 || last < border);
        // Of pauses that leave enough the longest, of equal ones the last; if there is none, the last of all.
        let best = held.length - 2, longest = -Infinity;
        for (let i = 0; i + 1 < held.length; i++) {
            const pause = held[i + 1].start - held[i].end;
            if (held[i].end > border && pause >= longest) [best, longest] = [i, pause];
        }
        if (best >= 0 && !silent) {
            this.#cut((held[best].end + held[best + 1].start) / 2 - from);
            this.#first += best + 1;
        }
        if (silent || this.#buffer.length > MOST * RATE) {
            // Not before a final word: it would be heard once more.
            this.#cut(Math.max(from + length - KEPT, last) - this.#begin / RATE);
            this.#first = final.length;
        }
    }

    /** Forgets the first seconds of the buffer. */
    #cut(seconds) {
        const drop = Math.min(Math.max(Numbers.rint(seconds * RATE), 0), this.#buffer.length);
        this.#begin += drop;
        this.#buffer = this.#buffer.slice(drop);
    }
}
