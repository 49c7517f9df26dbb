import { failure, cancellation, need } from "./failure.js";
import { ownBuffers } from "./own.js";
import { PACKAGE } from "../package.js";

/** The workers of a page, for all packages that are made by this version's rules and bring the same runtime. */
const WORKERS = Symbol.for("edgekit.workers.1");

/** A module whose only function uses SIMD. */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11);

/** A worker and the questions that it has not answered yet. */
class Host {
    #worker;
    #asked = new Map();
    #count = 0;
    models = 0;

    /** The page's worker, or a new one that begins with this package's code. */
    static get({ runtime, code }) {
        ["Worker", "WebAssembly"].forEach(need);
        WebAssembly.validate(SIMD) || need("SIMD in WebAssembly");
        const workers = (globalThis[WORKERS] ??= new Map());
        if (!workers.has(runtime.version)) {
            workers.set(runtime.version, new Host(code, () => workers.delete(runtime.version)));
        }
        return workers.get(runtime.version);
    }

    constructor(code, forget) {
        this.#worker = new Worker(code, { type: "module", name: "edgekit" });
        this.#worker.onmessage = ({ data }) => this.#hear(data);
        this.#worker.onerror = (event) => this.end(failure("WorkerFailed", event.message || `${code} cannot be run`));
        this.forget = forget;
    }

    /** @returns {Promise<{id: number, value: any}>} the answer, and the number by which a kept value is called. */
    ask(ask, question, { signal, progress } = {}) {
        const id = ++this.#count;
        return new Promise((resolve, reject) => {
            if (signal?.aborted) {
                throw signal.reason;
            }
            const abort = () => {
                this.#worker.postMessage({ id: 0, ask: "stop", call: id, ...of(PACKAGE) });
                this.#hear({ id, error: signal.reason ?? cancellation() });
            };
            signal?.addEventListener("abort", abort, { once: true });
            const end = () => signal?.removeEventListener("abort", abort);
            this.#asked.set(id, { resolve, reject, progress, end });
            this.#worker.postMessage({ id, ask, ...of(PACKAGE), ...question }, ownBuffers(question.values ?? []));
        });
    }

    #hear({ id, value, error, progress }) {
        const asked = this.#asked.get(id);
        if (progress) {
            asked?.progress?.(...progress);
        } else if (asked) {
            this.#asked.delete(id);
            asked.end();
            const said = error instanceof Error ? error : error && failure(error.name, error.message);
            error ? asked.reject(said) : asked.resolve({ id, value });
        }
    }

    /** Ends the worker: the only way in which WebAssembly gives memory back. */
    end(error = failure("Disposed", "the model was given back")) {
        this.forget();
        this.#worker.terminate();
        [...this.#asked.keys()].forEach((id) => this.#hear({ id, error }));
    }
}

const of = ({ name, version, code }) => ({ package: `${name} ${version}`, code: code.href });

/** A model in a worker that the caller never sees. Its calls are answered one at a time, in their order. */
export class Model {
    #host;
    #number;

    /** What of the loop callers may read, by the names that it has there. */
    static properties = [];

    constructor(host, number, values) {
        [this.#host, this.#number] = [host, number];
        Object.assign(this, values);
    }

    /**
     * Fetches the model's files (at the first visit), opens it and tests it (likewise).
     * @param given {progress(stage, share), signal, threads, selfTest: false}; and options of the loop
     */
    static async load({ progress, signal, threads, selfTest: test = true, ...options } = {}) {
        const host = Host.get(PACKAGE), { runtime, ...list } = JSON.parse(JSON.stringify(PACKAGE)); // addresses become texts
        const question = { list, runtime: runtime.addresses, threads, options, properties: this.properties, test };
        const report = progress && ((done, total, stage) => progress(stage, total ? Math.min(1, done / total) : 0));
        host.models++;
        try {
            const { id, value } = await host.ask("load", question, { signal, progress: report });
            return new this(host, id, value);
        } catch (error) {
            leave(host);
            throw error;
        }
    }

    /** A method of the loop, with these values. */
    async call(method, values, { signal, progress } = {}) {
        return (await this.#ask("call", { object: this.#number, method, values }, { signal, progress })).value;
    }

    /** The same, where the method gives an object: its methods are called by what this gives. */
    async begin(method, values, { signal } = {}) {
        const { id: object } = await this.#ask("call", { object: this.#number, method, values, keep: true }, { signal });
        return {
            call: async (step, given, options) =>
                (await this.#ask("call", { object, method: step, values: given }, options)).value,
            end: () => this.#host && this.#ask("release", { object }),
        };
    }

    /** Does this browser compute what the fp32 reference computed? `load` asks once for each version of both. */
    async selfTest(options) {
        return (await this.#ask("test", { object: this.#number }, options)).value;
    }

    /** Gives the model back; with the last one of the page the worker ends, and all its memory is free. */
    async dispose() {
        const host = this.#host;
        if (host) {
            const done = host.ask("release", { object: this.#number }).catch(() => {});
            this.#host = null;
            leave(host);
            await done;
        }
    }

    #ask(ask, question, options) {
        if (!this.#host) {
            return Promise.reject(failure("Disposed", "the model was given back; load it again"));
        }
        return this.#host.ask(ask, question, options);
    }
}

const leave = (host) => --host.models || host.end();
