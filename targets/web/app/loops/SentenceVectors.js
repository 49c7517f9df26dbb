import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";
import { WordPieces } from "./WordPieces.js";

/** Sentences to vectors of length 1: similar sentences have similar directions. */
export class SentenceVectors extends TaskLoop {
    #pieces = new WordPieces(this.description.vocabulary, this.facts.tokenizer);
    /** Tokens that the network takes at once; 0: as many as there are. */
    #fixed = Tensors.axis(this.spec("network"), 1);

    async answer(golden, watch) {
        watch?.(0, 1);
        return `a vector of ${(await this.embed(new TextDecoder().decode(golden.text.data))).length} numbers`;
    }

    /** The vector of a text, of length 1; the end of a long one is left out. */
    async embed(text) {
        if (!text.trim()) {
            throw new RangeError("the text is empty");
        }
        const tokens = this.tokens(text), shape = [1, this.#fixed || Math.max(2, tokens.length)], feeds = {};
        for (const { name, dtype } of Tensors.part(this.description, "network").inputs) {
            const data = dtype === "int32" ? new Int32Array(shape[1]) : new BigInt64Array(shape[1]);
            const number = dtype === "int32" ? Number : BigInt;
            if (name === "input_ids") {
                data.fill(number(this.#pieces.pad)).set(tokens.map(number));
            } else if (name === "attention_mask") {
                data.fill(number(1), 0, tokens.length);
            }
            feeds[name] = Tensors.of(data, shape);
        }
        const { data } = await this.take("network", feeds);
        const size = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
        if (!(size > 0 && size < Infinity)) {
            throw new RangeError("the network's vector of this text has no direction");
        }
        return data.map((value) => value / Math.fround(size));
    }

    /** The tokens of a text, as the network is given them. */
    tokens(text) {
        return this.#pieces.tokens(text, Math.min(this.#fixed || Infinity, this.facts.tokenizer.most));
    }
}
