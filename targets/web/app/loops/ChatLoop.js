import { failure } from "../core/failure.js";

/** Tokens of the context that are kept for an answer. */
const ANSWER = 256;
/** By how many logits another token than the golden answer's may be likelier here: kernels round otherwise. */
const TIE = 1;
const GREEDY = { samplers: ["top_k"], top_k: 1 };

/**
 * A conversation: its history, as much of it as the context holds. Questions and answers of earlier turns are in the prompt of
 * the next, and in the model's cache. One answer at a time.
 *
 * @typedef {{begins: boolean, complete: (request: object) => Promise<any>}} Language see core/wllama.js
 */
export class ChatLoop {
    #sampling = GREEDY;
    #turns = [];

    /**
     * @param {Language} language
     * @param description chat.json. system: a message before all others, which is never left out; "" for none.
     */
    constructor(language, description, { system = "" } = {}) {
        Object.assign(this, { language, description, system, threads: language.threads });
    }

    /** Throws a RangeError where the system prompt leaves no room in the context. */
    async check() {
        const { context } = this.description, total = this.system ? await this.#count(["."]) : 0;
        if (total + ANSWER > context) {
            throw new RangeError(`the system prompt takes ${total} tokens of the ${context} of the context`);
        }
    }

    /**
     * Begins the answer to a question.
     * @param most tokens of it. schema: name of one that the package was made with; "": any text.
     */
    async ask(text, { most = 512, schema = "" } = {}) {
        const { grammars, context } = this.description;
        if (!text.trim()) {
            throw new RangeError("the question is empty");
        }
        if (schema && !Object.hasOwn(grammars, schema)) {
            throw new RangeError(`there is no schema ${schema}, but ${Object.keys(grammars).join(", ") || "none"}`);
        }
        const all = [...this.#turns, text], bytes = (prompt) => new TextEncoder().encode(prompt).length;
        let first = 0;
        // A token has a byte at least: what is short needs no counting.
        while (bytes(this.#prompt(all.slice(first))) + ANSWER > context) {
            const total = await this.#count(all.slice(first)), last = first === all.length - 1;
            if (total + ANSWER <= context || (last && total < context)) {
                break;
            }
            if (last) {
                throw new RangeError(`the question has ${total} tokens, and the context holds ${context}`);
            }
            first += 2;
        }
        this.#turns = all.slice(first);
        const request = { prompt: this.#prompt(this.#turns), n_predict: most, grammar: grammars[schema] ?? "", ...this.#sampling };
        const answer = await this.language.complete({ ...request, stream: true });
        return new Answer(answer, { most, leftOut: first / 2 }, (said) => this.#turns.push(said));
    }

    /** How tokens are chosen from now on; a temperature of 0, as in the beginning, takes the likeliest. */
    sample({ temperature, topK = 40, topP = 0.95, minP = 0.05, seed = 0 }) {
        const by = { temperature, top_k: topK, top_p: topP, min_p: minP, seed };
        this.#sampling = temperature > 0 ? { samplers: ["top_k", "top_p", "min_p", "temperature"], ...by } : GREEDY;
    }

    /** Begins anew. */
    clear() {
        this.#turns = [];
    }

    /**
     * Has the model go on from the golden prompt as the bundle was proven to, up to the first token that is less likely here
     * than another: `errors` says by how many logits.
     */
    async selfTest(watch) {
        const { prompt, answer: expected } = this.description.golden, most = 4 * expected.length;
        const grammar = `root ::= ${JSON.stringify(expected)}`, request = { prompt, grammar, n_predict: most, n_probs: 1, ...GREEDY };
        const answer = await this.language.complete({ ...request, stream: true });
        let margin = 0, said = "", end = "";
        try {
            for (let more = true; more && !margin; ) {
                watch(Math.min(said.length, expected.length), expected.length);
                const step = await answer.next(), [choice] = step.said?.choices ?? [];
                ({ more } = step);
                end = choice?.finish_reason;
                said += choice?.text ?? "";
                for (const { token, logprob, top_logprobs: [best] } of choice?.logprobs?.content ?? []) {
                    margin ||= token && best.logprob - logprob; // no text: a part of a character, or the end
                }
            }
        } finally {
            await answer.cancel();
        }
        margin ||= end === "stop" ? 0 : Infinity;
        return { errors: { network: margin }, limits: { network: TIE }, answer: said, expected, passed: margin <= TIE };
    }

    /** Tokens of the prompt for an answer to the last of these turns. What is computed meanwhile stays in the cache. */
    async #count(turns) {
        const request = { prompt: this.#prompt(turns), n_predict: 1, stream: true, return_progress: true };
        const answer = await this.language.complete(request), { said, error } = await answer.next();
        await answer.cancel();
        return error?.n_prompt_tokens ?? said.prompt_progress.total;
    }

    #prompt(turns) {
        const { template: { start, system, question, answer, reply, next, trim, begins }, begin } = this.description;
        const content = (text) => (trim ? text.trim() : text);
        const after = turns.map((_, i) => (i === turns.length - 1 ? answer : i % 2 ? next : reply));
        const first = this.system ? system + content(this.system) + question : start;
        const text = first + turns.map((turn, i) => content(turn) + after[i]).join("");
        return begins && this.language.begins ? text.slice(begin.length) : text; // the library puts it there
    }
}

/** An answer that is being written; what was said when it ends, or is ended, stays in the history. */
class Answer {
    #answer;
    #facts;
    #keep;
    #said = "";
    #tokens = 0;
    #prompt = 0;

    constructor(answer, facts, keep) {
        [this.#answer, this.#facts, this.#keep] = [answer, facts, keep];
    }

    /** A step: the next piece, whole characters, which may be empty; and how the answer ended, if it did. */
    async next(watch) {
        watch(this.#tokens, this.#facts.most);
        const { said, error, more } = await this.#answer.next();
        if (error) {
            throw failure("RuntimeFailed", error.message);
        }
        const [choice] = said?.choices ?? [], piece = choice?.text ?? "";
        this.#tokens += choice && !choice.finish_reason ? 1 : 0;
        this.#said += piece;
        return { piece, last: more ? undefined : this.#end(said, choice.finish_reason) };
    }

    #end({ usage, timings }, reason) {
        const { most, leftOut } = this.#facts, tokens = usage.completion_tokens;
        const finish = reason === "stop" ? "end" : tokens < most ? "context" : "length";
        const computed = timings.prompt_n + timings.predicted_n;
        return { finish, promptTokens: usage.prompt_tokens, tokens, leftOut, computed };
    }

    async close() {
        this.#keep(this.#said);
        await this.#answer.cancel();
    }
}
