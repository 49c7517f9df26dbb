import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { SpeechListener } from "./SpeechListener.js";
import { SpeechSpans } from "./SpeechSpans.js";
import { Tensors } from "./Tensors.js";
import { WhisperCuts } from "./WhisperCuts.js";
import { WhisperRecognizer } from "./WhisperRecognizer.js";
import { WhisperRun } from "./WhisperRun.js";
import { WhisperSigns } from "./WhisperSigns.js";
import { WhisperStream } from "./WhisperStream.js";
import { WhisperTokens } from "./WhisperTokens.js";
import { WhisperWords } from "./WhisperWords.js";

const RATE = 16_000, WINDOW = 30 * RATE;
/** Seconds of the shortest sound that may hold a word; samples that the detector of speech reads at once. */
const SHORTEST = 0.1, BLOCK = 160_000;
/** Seconds behind the last word of a window, and at which no token looks: if somebody speaks in more, words are missing. */
const LEFT_OUT = 1.5, UNREAD = 2.5;

/**
 * Whisper from sound to text: windows, language, fallbacks, segments and words (after whisper/transcribe.py).
 *
 * The encoder's window is as long as the sound needs, not always 30 s; if what comes out looks wrong, the window is encoded
 * again at 30 s before any other fallback. Windows of digital silence are not decoded.
 * @typedef {object} Options
 * @property {string} [language] a key of the tokens' languages; without it, it is detected.
 * @property {boolean} [translate] to English instead of transcribing.
 * @property {boolean} [timestamps] give segments with times; always so beyond 30 s, where they carry the windows forward.
 * @property {boolean} [words] give the times of words. Costs one more run of the decoder for each window.
 * @property {boolean} [vad] look for speech first, and transcribe nothing else; by default only in a sound longer than 30 s.
 */
export class WhisperTranscriber {
    #parts; #description; #recognizer;

    /** @param parts "frontend", "encoder", "decoder"; "detector" in newer bundles. */
    constructor(parts, description) {
        [this.#parts, this.#description] = [parts, description];
        this.tokens = new WhisperTokens(description.facts.tokens, description.vocabulary);
        this.#recognizer = new WhisperRecognizer(parts, description, this.tokens);
    }

    /** Codes of the languages that it knows, such as "en". Empty for a model of a single language. */
    get languages() {
        return Object.keys(this.tokens.languages);
    }

    async answer(golden, watch) {
        return (await this.transcribe(golden.audio.data, { vad: this.#parts.detector ? true : undefined }, watch)).text;
    }

    /**
     * What was said in a sound at 16 kHz: its text and language (null for a model of a single one); segments {start, end,
     * text}; words {word, start, end, probability}; seconds of the encoder's window, for each time that it ran; what was
     * tried again, and why; seconds that were left out, since nobody spoke. Throws a RangeError for what is no sound or
     * shorter than 0.1 s, and for options that the bundle does not have.
     * @type {(sound: Float32Array, options?: Options, watch?: import("./Tensors.js").Watch) => Promise<object>}
     */
    async transcribe(sound, options = {}, watch = () => {}) {
        this.#check(options);
        if (sound.length < SHORTEST * RATE) {
            throw new RangeError(`the audio is too short to hold a word: at least ${SHORTEST} s`);
        }
        const run = new WhisperRun(options, () => watch(run.at / RATE, sound.length / RATE));
        const speech = options.vad ?? (this.#parts.detector && sound.length > WINDOW);
        await (speech ? this.#speech(sound, run) : this.#windows(sound, run));
        const { language, segments, words, windows, fallbacks, skipped } = run;
        const text = WhisperTokens.strip(this.tokens.text(run.text));
        return { text, language, segments, words, windows, fallbacks, skipped };
    }

    /**
     * Text while somebody speaks, with a detector of speech of its own where the bundle has one, unless `vad` is false; by the
     * seconds of a clock a device that is too slow is known.
     * @type {(options?: Options, clock?: () => number) => WhisperStream}
     */
    stream(options = {}, clock = () => performance.now() / 1000) {
        this.#check({ ...options, words: true });
        const listener = this.#parts.detector && options.vad !== false ? this.#listener() : null;
        return new WhisperStream(this.#recognizer, options, listener, clock);
    }

    #check({ language, words, vad }) {
        const known = !language || Object.hasOwn(this.tokens.languages, language), { aligns } = this.#recognizer;
        if (!known) throw new RangeError(`the language ${language} is not among this model's`);
        if (words && !aligns) throw new RangeError("this bundle cannot tell the times of words; export it again");
        if (vad && !this.#parts.detector) throw new RangeError("this bundle has no detector of speech; export it again");
    }

    /** Slides over the sound. */
    async #windows(sound, run) {
        while (sound.length - run.at >= SHORTEST * RATE) {
            const samples = Samples.window(sound, run.at, WINDOW);
            // A sound longer than a window needs timestamps: they say where the next window starts.
            const timestamps = run.options.timestamps || run.at > 0 || sound.length > WINDOW;
            run.at += WhisperSigns.silent(samples) ? samples.length : await this.#advance(samples, run, timestamps, false);
            run.check();
        }
    }

    /** Transcribes where somebody speaks. */
    async #speech(sound, run) {
        // Of a long sound: times tell which words the network left out, if nothing else does.
        const timed = run.options.timestamps || (sound.length > WINDOW && !this.#recognizer.aligns);
        let silent = sound.length / RATE;
        for (const { start, end } of WhisperCuts.pack(await this.#spans(sound, run))) {
            const last = Numbers.rint(end * RATE);
            run.at = Numbers.rint(start * RATE);
            while (last - run.at >= SHORTEST * RATE) {
                const samples = Samples.window(sound, run.at, Math.min(last - run.at, WINDOW));
                // What lies behind the last word of the window is a pause.
                run.at += await this.#advance(samples, run, timed, true);
            }
            silent -= end - start;
            run.check();
        }
        run.skipped = silent >= 1 ? silent : 0;
    }

    #listener() {
        const part = Tensors.part(this.#description, "detector");
        return new SpeechListener(this.#parts.detector, part, this.#description.facts.detector);
    }

    async #spans(sound, run) {
        const listener = this.#listener(), heard = [];
        try {
            for (let from = 0; from < sound.length; from += BLOCK) {
                heard.push(...(await listener.push(Samples.window(sound, from, BLOCK), run.check)));
            }
            heard.push(...(await listener.finish(run.check)));
            return SpeechSpans.of(heard, WhisperCuts.RULES, listener.hop, sound.length);
        } finally {
            listener.close();
        }
    }

    /** Whether somebody speaks in half of a stretch, as far as the bundle can tell. */
    async #speaks(stretch, run) {
        if (!this.#parts.detector || stretch.length === 0) return false;
        const seconds = (await this.#spans(stretch, run)).reduce((sum, { start, end }) => sum + end - start, 0);
        return 2 * seconds * RATE >= stretch.length;
    }

    /**
     * One window; read again with times if its text says nothing of a stretch in which somebody speaks. Without times the
     * network leaves out sentences now and then, where speakers change without a pause.
     */
    async #recognize(samples, run, timestamps) {
        const recognizer = this.#recognizer, held = [await recognizer.recognize(samples, run, timestamps)];
        try {
            const [first] = held, settled = first.timed || WhisperRecognizer.silent(first.result) || !this.#parts.detector;
            const [begin, end] = settled ? [0, 0] : await recognizer.gap(first, samples), seconds = end - begin;
            const stretch = samples.subarray(Numbers.rint(begin * RATE), Numbers.rint(end * RATE));
            if (seconds <= UNREAD || !(await this.#speaks(stretch, run))) return held.pop();
            run.fallbacks.push(`no words for ${Numbers.text(seconds, 1)} s of speech: read again with times`);
            held.push(await recognizer.again(first, samples, run));
            const [from, to] = await recognizer.gap(held[1], samples);
            return to - from <= Math.max(UNREAD, seconds / 2) ? held.pop() : held.shift();
        } finally {
            held.forEach((one) => recognizer.close(one));
        }
    }

    /** Decodes one window; by how many samples to advance. A `whole` one ends in a pause: no word goes on in the next. */
    async #advance(samples, run, timestamps, whole) {
        const recognized = await this.#recognize(samples, run, timestamps), { result, timed } = recognized;
        try {
            if (WhisperRecognizer.silent(result)) return samples.length;
            const before = run.text.length;
            run.ended ||= whole || (timed && !timestamps);
            const advance = timed ? this.#cut(result.tokens, samples.length, run) : samples.length;
            if (!timed) run.text.push(...result.tokens);
            if (!timed && whole) this.#add(result.tokens, run.at / RATE, (run.at + samples.length) / RATE, run);
            if (run.options.words) {
                const kept = run.text.slice(before), sound = samples.subarray(0, advance);
                const words = await this.#recognizer.words(recognized, kept, sound, run);
                run.words.push(...words.map((word) => WhisperWords.facts(word, run.at / RATE)));
            }
            // Where it gives times the network often stops early ("Chapter 31"): what somebody says behind is read next.
            const reached = Numbers.rint((run.segments.at(-1)?.end ?? 0) * RATE) - run.at;
            const end = timed && reached > 0 && advance - reached >= LEFT_OUT * RATE ? reached : advance;
            return run.ended || (await this.#speaks(samples.subarray(end, advance), run)) ? end : advance;
        } finally {
            this.#recognizer.close(recognized);
        }
    }

    /** Cuts a window at pairs of timestamps; gives by how many samples to advance. */
    #cut(ids, samples, run) {
        const { tokens } = this, last = samples / RATE, from = run.at / RATE, cuts = [];
        const stamp = ids.map((id) => id >= tokens.firstTimestamp), latest = ids.findLast((_, i) => stamp[i]) ?? 0;
        const closed = run.ended || (ids.length >= 2 && !stamp.at(-2) && stamp.at(-1));
        const keep = (piece, start, end) => {
            const [begin, until] = [start, end].map((time) => from + Math.min(time, last)); // not past the end of the sound
            if (end > start && this.#add(piece, begin, until, run)) {
                run.text.push(...piece.filter((id) => id < tokens.endOfText));
            }
        };
        for (let i = 1; i < ids.length; i++) {
            if (stamp[i - 1] && stamp[i]) cuts.push(i);
        }
        if (cuts.length === 0) {
            keep(ids, 0, latest > tokens.firstTimestamp ? tokens.seconds(latest) : last);
            return samples;
        }
        let begin = 0;
        for (const end of closed ? [...cuts, ids.length] : cuts) {
            keep(ids.slice(begin, end), tokens.seconds(ids[begin]), stamp[end - 1] ? tokens.seconds(ids[end - 1]) : last);
            begin = end;
        }
        return (!closed && Math.min(Numbers.rint(tokens.seconds(ids[begin - 1]) * RATE), samples)) || samples;
    }

    /** Appends a segment; whether it says something. */
    #add(ids, start, end, run) {
        const text = WhisperTokens.strip(this.tokens.text(ids));
        if (text) run.segments.push({ start: Numbers.round(start, 2), end: Numbers.round(end, 2), text });
        return text !== "";
    }
}
