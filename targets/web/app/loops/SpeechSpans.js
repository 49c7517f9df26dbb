const RATE = 16_000;

/** From probabilities of speech, one for each frame, to spans of speech (after Silero VAD's get_speech_timestamps). */
export class SpeechSpans {
    #rules;
    #longest;
    #spans = [];
    /** Earlier pauses of the span that is being heard: begin and length. */
    #pauses = [];
    /** Where the span began, and its present pause; -1: there is none. */
    #start = -1;
    #quiet = -1;

    constructor(rules, hop) {
        this.#rules = rules;
        this.#longest = RATE * rules.longest - hop - 2 * RATE * rules.padding;
    }

    /**
     * Start and end of each span in seconds, in order, none overlapping.
     * @param {ArrayLike<number>} probabilities
     * @param {number} hop samples of a frame.
     * @param {number} size samples of the sound.
     * @returns {{start: number, end: number}[]}
     */
    static of(probabilities, rules, hop, size) {
        const speech = new SpeechSpans(rules, hop);
        for (let i = 0; i < probabilities.length; i++) {
            speech.#hear(probabilities[i], i * hop);
        }
        if (speech.#start >= 0 && size - speech.#start > RATE * rules.shortest) {
            speech.#spans.push({ start: speech.#start, end: size });
        }
        speech.#pad(size);
        return speech.#spans.map(({ start, end }) => ({ start: start / RATE, end: end / RATE }));
    }

    #begin(at) {
        [this.#start, this.#quiet, this.#pauses] = [at, -1, []];
    }

    #hear(probability, at) {
        const rules = this.#rules;
        if (probability >= rules.threshold) {
            if (this.#quiet >= 0 && at - this.#quiet > RATE * rules.cut) {
                this.#pauses.push([this.#quiet, at - this.#quiet]);
            }
            this.#quiet = -1;
            if (this.#start < 0) {
                this.#begin(at);
                return;
            }
        }
        if (this.#start >= 0 && at - this.#start > this.#longest) {
            this.#end(at);
        }
        if (this.#start < 0 || probability >= rules.release) {
            return;
        }
        const quiet = this.#quiet < 0 ? at : this.#quiet;
        this.#quiet = quiet;
        if (at - quiet >= RATE * rules.pause) {
            if (quiet - this.#start > RATE * rules.shortest) {
                this.#spans.push({ start: this.#start, end: quiet });
            }
            this.#begin(-1);
        }
    }

    /** Ends a span that is too long: in its longest pause, behind which the next one begins, else at once. */
    #end(at) {
        let most = null;
        for (const pause of this.#pauses) {
            most = most && most[1] >= pause[1] ? most : pause;
        }
        this.#spans.push({ start: this.#start, end: most ? most[0] : at });
        this.#begin(most ? most[0] + most[1] : -1);
    }

    /** Widens spans; two that would meet share the pause between them. */
    #pad(size) {
        const spans = this.#spans, padding = RATE * this.#rules.padding, whole = Math.trunc(padding);
        for (let i = 0; i < spans.length; i++) {
            if (i === 0) {
                spans[0].start = Math.max(0, spans[0].start - whole);
            }
            if (i + 1 === spans.length) {
                spans[i].end = Math.min(size, spans[i].end + whole);
                continue;
            }
            const pause = spans[i + 1].start - spans[i].end, half = pause < 2 * padding ? Math.trunc(pause / 2) : whole;
            spans[i].end = Math.min(size, spans[i].end + half);
            spans[i + 1].start = Math.max(0, spans[i + 1].start - half);
        }
    }
}
