import { Model } from "../core/client.js";

/**
 * A conversation with a language model, in this browser alone. One question at a time; others wait.
 * @example
 * const chat = await Chat.load(); // or: { system: "Answer briefly." }
 * for await (const piece of chat.send("Why is the sky blue?")) console.log(piece);
 * console.log(chat.last.finish, chat.last.tokens);
 */
export class Chat extends Model {
    static properties = ["threads"];

    #turn = Promise.resolve();
    /** How the last answer that came to its end did so. */
    last = null;

    /** The answer, piece by piece. Who stops reading ends it within a token; what was said stays in the history. */
    async *send(text, { most, schema, signal, progress } = {}) {
        const before = this.#turn;
        let done;
        this.#turn = new Promise((end) => (done = end));
        await before;
        try {
            const answer = await this.begin("ask", [text, { most, schema }], { signal });
            try {
                for (let last; !last; ) {
                    const step = await answer.call("next", [], { signal, progress });
                    ({ last } = step);
                    if (step.piece) {
                        yield step.piece;
                    }
                    this.last = last ?? this.last;
                }
            } finally {
                await answer.end();
            }
        } finally {
            done();
        }
    }

    /** How tokens are chosen from now on: {temperature, topK, topP, minP, seed}; a temperature of 0 takes the likeliest. */
    async sample(options) {
        return this.call("sample", [options]);
    }

    /** Begins anew. */
    async clear() {
        return this.call("clear", []);
    }
}
