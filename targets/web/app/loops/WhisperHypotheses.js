import { Tensors } from "./Tensors.js";

const QUERIES = "alignment_queries";

/** A growing set of token sequences about one window, with their self-attention caches, which it holds until it is closed. */
export class WhisperHypotheses {
    #window;
    #past = {};
    /** Whether the caches are another's, and not given back here. */
    #borrowed = false;
    /** The alignment queries [heads * size] of the first hypothesis' newest token; null if the decoder gives none. */
    queries = null;

    /**
     * @param {{decoder: object, part: object, cross: object, blanks: number}} window the decoder and its description; what the
     *     encoder said, not given back here; how many entries of the caches before the first token it does not look at.
     */
    constructor(window) {
        this.#window = window;
        for (const { name, shape } of window.part.inputs) {
            if (name.startsWith("past_")) {
                const empty = [1, shape[1], window.blanks, shape[3]];
                this.#past[name] = Tensors.of(new Float32Array(Tensors.size(empty)), empty);
            }
        }
    }

    /** Whether a decoder gives what the times of words need. */
    static aligns(part) {
        return part.outputs.some(({ name }) => name === QUERIES);
    }

    /** The same state, to continue differently; the original must stay open meanwhile. */
    copy() {
        const other = new WhisperHypotheses(this.#window);
        [other.#past, other.#borrowed, other.queries] = [this.#past, true, this.queries];
        return other;
    }

    /**
     * Appends tokens of every hypothesis, equally many. Gives the logits [vocabulary] of each one and each selected position
     * among them, which must not be changed.
     */
    async step(tokens, select) {
        const { logits, queries } = await this.#feed(tokens, select), [heads, count, length, size] = queries?.shape ?? [];
        this.queries = queries && new Float32Array(heads * size);
        for (let head = 0; head < heads; head++) {
            const from = (head * count * length + length - 1) * size;
            this.queries.set(queries.data.subarray(from, from + size), head * size);
        }
        return logits;
    }

    /** Reads a text from the beginning of the window, beside what this one holds; queries are those of all tokens. */
    async read(tokens, select) {
        const fresh = new WhisperHypotheses(this.#window);
        return fresh.#feed([tokens], select).finally(() => fresh.close());
    }

    /** Runs the decoder and keeps its caches; reads the other outputs and gives them back. */
    async #feed(tokens, select) {
        const { decoder, cross } = this.#window, caches = {}, others = {}, count = tokens.length * select.length;
        const out = await decoder.run({
            ...this.#past, ...cross, select: Tensors.of(BigInt64Array.from(select, BigInt), [select.length]),
            tokens: Tensors.of(BigInt64Array.from(tokens.flat(), BigInt), [tokens.length, tokens[0].length]),
        });
        for (const [name, tensor] of Object.entries(out)) {
            (name.startsWith("present_") ? caches : others)[name.replace("present_", "past_")] = tensor;
        }
        this.#replace(caches);
        try {
            const all = await Tensors.read(others.logits), size = all.length / count, queries = others[QUERIES];
            const logits = Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
            return { logits, queries: queries ? { shape: queries.shape, data: await Tensors.read(queries) } : null };
        } finally {
            Tensors.disposeAll(others);
        }
    }

    /** Continues so many times from the only hypothesis. */
    async repeat(count) {
        const repeated = {};
        for (const [name, tensor] of Object.entries(this.#past)) {
            const values = await Tensors.read(tensor), many = new Float32Array(values.length * count);
            for (let i = 0; i < count; i++) many.set(values, i * values.length);
            repeated[name] = Tensors.of(many, [count, ...tensor.shape.slice(1)]);
        }
        this.#replace(repeated);
    }

    #replace(caches) {
        this.close();
        [this.#past, this.#borrowed] = [caches, false];
    }

    /** Gives the caches back to the runtime; a second call does nothing. */
    close() {
        if (!this.#borrowed) Tensors.disposeAll(this.#past);
        this.#past = {};
    }
}
