import { Numbers } from "./Numbers.js";
import { Tensors } from "./Tensors.js";
import { WhisperDecoding } from "./WhisperDecoding.js";
import { WhisperHypotheses } from "./WhisperHypotheses.js";
import { WhisperRules } from "./WhisperRules.js";
import { WhisperSigns } from "./WhisperSigns.js";
import { WhisperTokens } from "./WhisperTokens.js";
import { WhisperWords } from "./WhisperWords.js";

const RATE = 16_000, HOP = 160, WINDOW = 30 * RATE;
const TEMPERATURES = [0, 0.2, 0.4, 0.6, 0.8, 1], SAMPLES = 5, NO_SPEECH = 0.6, LOGPROB = -1;

/**
 * A window of sound to tokens: the encoder, the prompt, and what is tried again where the result looks wrong.
 *
 * What it recognized is {result, doubt, timed, attempt}: what was decoded; why that looks wrong after all that was tried,
 * or ""; whether there are times among the tokens; the state from which they came, in the runtime's memory until `close`.
 */
export class WhisperRecognizer {
    #parts; #decoder; #tokens; #window; #context; #heads;

    constructor(parts, description, tokens) {
        const { facts } = description, part = Tensors.part(description, "decoder");
        [this.#parts, this.#tokens, this.#window, this.#context] = [parts, tokens, facts.window, facts.text_context];
        this.#decoder = { decoder: parts.decoder, part, blanks: facts.blanks ?? 0 };
        this.#heads = facts.alignment;
        /** Whether the bundle can tell the times of words. */
        this.aligns = WhisperHypotheses.aligns(part);
    }

    /** One window with fallbacks: a longer encoder window first, then rising temperatures. */
    async recognize(samples, run, timestamps) {
        const encoded = await this.#encode(samples, this.#seconds(samples.length / RATE, run), run);
        return this.#settle(await this.#begin(encoded, samples, run, timestamps), samples, run);
    }

    /** A window once more, with times among the tokens: from what the encoder gave for it. */
    async again({ attempt }, samples, run) {
        attempt.encoded.readers++;
        return this.#settle(await this.#begin(attempt.encoded, samples, run, true), samples, run);
    }

    /** Gives memory back to the runtime: what the encoder gave, once all that read it are closed. */
    close({ attempt: { begun, encoded } }) {
        begun.hypotheses.close();
        encoded.readers--;
        if (encoded.readers === 0) Tensors.disposeAll(encoded.cross);
    }

    /** Whether the network says that nobody speaks, and is not sure of the words that it gave all the same. */
    static silent({ noSpeech, averageLogprob }) {
        return noSpeech > NO_SPEECH && averageLogprob <= LOGPROB;
    }

    /** The times of words, counted from the start of the window: of the tokens that are kept, and the sound they cover. */
    words({ attempt }, kept, samples, run) {
        const words = new WhisperWords(this.#tokens, this.#heads, attempt.encoded.cross);
        return words.align(attempt.begun.hypotheses, this.#start(run, false), kept, samples, run.language);
    }

    /**
     * The longest stretch of a window at which no token of its text looks, in seconds; zeros if nothing tells. Where the text
     * has times, the window ends with the last: what follows is another's.
     */
    async gap({ result, attempt }, samples) {
        if (result.queries.length === 0) return [0, 0];
        const last = result.tokens.at(-1) ?? 0, timed = last > this.#tokens.firstTimestamp;
        const seconds = Math.min(samples.length / RATE, timed ? this.#tokens.seconds(last) : Infinity);
        return new WhisperWords(this.#tokens, this.#heads, attempt.encoded.cross).gap(result.queries, seconds);
    }

    /** The result of a window, after all that is tried where it looks wrong. */
    async #settle(attempt, samples, run) {
        const { timed } = attempt, again = run.window === 0, longer = again && attempt.encoded.seconds < 30;
        try {
            let result = await this.#sample(attempt, 0, run);
            let doubt = (await this.#suspicion(result)) || (longer ? this.#hint(result, timed) : "");
            if (longer && doubt) {
                run.fallbacks.push(`${doubt}: encoded again at 30 s`);
                this.close({ attempt });
                attempt = null;
                attempt = await this.#begin(await this.#encode(samples, 30, run), samples, run, timed);
                result = await this.#sample(attempt, 0, run);
                doubt = await this.#suspicion(result);
            }
            for (let i = 1; again && i < TEMPERATURES.length && doubt; i++) {
                run.fallbacks.push(`${doubt}: sampled again at temperature ${TEMPERATURES[i]}`);
                result = await this.#sample(attempt, i, run);
                doubt = await this.#suspicion(result);
            }
            return { result, doubt, timed, attempt };
        } catch (error) {
            if (attempt) this.close({ attempt });
            throw error;
        }
    }

    #sample({ begun, rules, limit }, seed, run) {
        const how = { end: this.#tokens.endOfText, limit, temperature: TEMPERATURES[seed], count: SAMPLES, seed };
        return WhisperDecoding.sample(begun, rules, how, run.check);
    }

    async #encode(samples, wanted, run) {
        run.windows.push(Numbers.round(wanted, 2));
        run.check();
        const halves = Numbers.rint((wanted * RATE) / (2 * HOP));
        const length = Math.min(Math.max(halves * 2 * HOP, 4 * HOP), WINDOW), padded = new Float32Array(length);
        padded.set(samples.subarray(0, length));
        const mel = await this.#parts.frontend.run({ audio: Tensors.of(padded, [1, length]) });
        const cross = await this.#parts.encoder.run({ mel: mel.mel }).finally(() => Tensors.disposeAll(mel));
        return { cross, seconds: length / RATE, readers: 1 };
    }

    /** An attempt: a window whose prompt has been fed. What the encoder gave has a reader less if that fails. */
    async #begin(encoded, samples, run, timed) {
        const hypotheses = new WhisperHypotheses({ ...this.#decoder, cross: encoded.cross });
        try {
            run.check();
            run.language ??= await this.#detect(encoded.cross);
            run.check();
            const prompt = [...this.#start(run, timed), ...run.prefix];
            const begun = await WhisperDecoding.begin(hypotheses, prompt, this.#tokens);
            const rules = new WhisperRules(this.#tokens, timed, encoded.seconds, run.prefix.length > 0);
            // Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
            const most = 40 + Math.trunc(15 * (samples.length / RATE)), context = this.#context;
            const limit = Math.min(Math.trunc(context / 2), run.most, most, context - prompt.length);
            return { encoded, begun, rules, limit, timed };
        } catch (error) {
            this.close({ attempt: { begun: { hypotheses }, encoded } });
            throw error;
        }
    }

    /** The prompt without what the text begins with. */
    #start(run, timestamps) {
        const tokens = this.#tokens, language = tokens.languages[run.language];
        const task = run.options.translate ? tokens.translate : tokens.transcribe;
        const prompt = [tokens.startOfTranscript, ...(language === undefined ? [] : [language, task])];
        return timestamps ? prompt : [...prompt, tokens.noTimestamps];
    }

    /** The most probable language, of equal ones the first; null for a model of a single one. */
    async #detect(cross) {
        const ordered = Object.entries(this.#tokens.languages).sort(([, a], [, b]) => a - b);
        if (ordered.length === 0) return null;
        const one = new WhisperHypotheses({ ...this.#decoder, cross });
        const [logits] = await one.step([[this.#tokens.startOfTranscript]], [0]).finally(() => one.close());
        return ordered.reduce((best, next) => (logits[next[1]] > logits[best[1]] ? next : best))[0];
    }

    /** Seconds that the encoder gets of a sound; of a stream whole ones: some formats hold windows of these lengths alone. */
    #seconds(seconds, run) {
        const { least, margin, step } = this.#window;
        if (run.window > 0) return Math.max(run.window, Math.min(Math.ceil(seconds), 30));
        return Math.min(Math.ceil(Math.max(least, seconds + margin) / step) * step, 30);
    }

    /** Why a result looks wrong (empty if it does not): the original's two signs, and that it never ends. */
    async #suspicion(result) {
        if (WhisperRecognizer.silent(result)) return "";
        if (await WhisperSigns.repetitive(WhisperTokens.strip(this.#tokens.text(result.tokens)))) return "repetitive";
        if (!result.complete) return "endless";
        return result.averageLogprob < LOGPROB ? "improbable" : "";
    }

    /**
     * Why the text of a short window is read again with the whole one, which costs less than a wrong text. A text with times
     * may be hardly probable: these are less probable than words, and it often stands for a text that lacked words.
     */
    #hint({ averageLogprob, tokens }, timed) {
        const unsure = LOGPROB < averageLogprob && averageLogprob < (this.#window.sure ?? 1) * LOGPROB;
        return !timed && unsure ? "hardly probable" : WhisperSigns.echoes(tokens) ? "ends with an echo" : "";
    }
}
