import { failure, cancellation } from "./failure.js";
import { Files } from "./files.js";
import { OnnxGraph, startRuntime } from "./graph.js";
import { selfTest } from "./selftest.js";
import { readVectors } from "./vectors.js";

const INPUT = "golden/input.bin", REFERENCE = "golden/reference.bin", TESTED = "tested";

/**
 * Answers the page's questions in this worker. Other packages of the page come in here by their own address, so that all
 * models share one runtime.
 *
 * @param name of the package, with its version. Loop: what computes its answers.
 */
export function serve(name, Loop) {
    const services = (self.edgekitServices ??= new Map());
    services.set(name, new Service(Loop));
    self.onmessage ??= async ({ data }) => {
        try {
            if (!services.has(data.package)) {
                await import(/* webpackIgnore: true */ /* @vite-ignore */ data.code);
            }
            const value = await services.get(data.package).answer(data);
            self.postMessage({ id: data.id, value });
        } catch (error) {
            self.postMessage({ id: data.id, error: { name: error?.name ?? "Error", message: error?.message ?? String(error) } });
        }
    };
}

/** The models of one package. */
class Service {
    #Loop;
    /** Number -> a model, or an object of one (a stream). */
    #objects = new Map();
    #running = new Map();

    constructor(Loop) {
        this.#Loop = Loop;
    }

    async answer({ id, ask, ...question }) {
        const stop = new AbortController();
        this.#running.set(id, stop);
        try {
            const watch = (done, total) => {
                if (stop.signal.aborted) {
                    throw cancellation();
                }
                self.postMessage({ id, progress: [done, total] });
            };
            return await this[ask](id, question, watch, stop.signal);
        } finally {
            this.#running.delete(id);
        }
    }

    stop(_, { call }) {
        this.#running.get(call)?.abort();
    }

    /** Opens a model; its number is the question's. What is fetched next comes while the runtime opens a part. */
    async load(id, { list, runtime, threads, properties, test }, watch, signal) {
        const report = (stage) => (done, total) => self.postMessage({ id, progress: [done, total, stage] });
        const files = await Files.open(list, report("fetch"), signal), description = await files.json("model.json");
        const names = description.parts.map((part) => part.file), known = files.has("vocabulary.bin");
        files.expect(["model.json", ...names, ...(known ? ["vocabulary.bin"] : [])]);
        description.vocabulary = known ? await files.read("vocabulary.bin") : new Uint8Array();
        const model = { files, description, parts: {}, turn: Promise.resolve() };
        try {
            let next = Promise.all([files.read(names[0]), startRuntime(runtime, threads)]);
            for (const [i, part] of description.parts.entries()) {
                const [bytes, ort] = await next;
                next = names[i + 1] && files.read(names[i + 1]).then((more) => [more, ort]);
                next?.catch(() => {}); // it is awaited in its turn
                if (signal.aborted) {
                    throw cancellation();
                }
                model.parts[part.name] = await OnnxGraph.open(ort, bytes, part.session ?? description.session);
            }
            model.object = new this.#Loop(model.parts, description);
            if (test) {
                await this.#check(model, report("test"), signal);
            }
        } catch (error) {
            this.#close(model);
            throw error;
        }
        this.#objects.set(id, model);
        const read = (value) => (typeof value === "function" ? value.call(model.object) : value);
        return Object.fromEntries(properties.map((name) => [name, read(model.object[name])]));
    }

    /** Once for a version of the model and of the browser: does it compute here what it should? */
    async #check(model, report, signal) {
        if ((await model.files.note(TESTED)) === navigator.userAgent) {
            return;
        }
        const { passed, errors, limit } = await this.#test(model, (done, total) => {
            if (signal.aborted) {
                throw cancellation();
            }
            report(done, total);
        }, true);
        if (!passed) {
            const far = Object.entries(errors).map(([part, error]) => `${part} ${error.toPrecision(3)}`).join(", ");
            throw failure("SelfTestFailed", `this browser computes other values than the reference: ${far} (at most ${limit})`);
        }
        report(1, 1);
        await model.files.keep(TESTED, navigator.userAgent);
    }

    async #test({ files, parts, description }, watch, early) {
        files.expect([INPUT, REFERENCE]);
        const golden = readVectors(await files.read(INPUT)), reference = readVectors(await files.read(REFERENCE));
        return selfTest(this.#Loop, parts, description, golden, reference, watch, early);
    }

    test(_, { object }, watch) {
        return this.#queue(object, (model) => this.#test(model, watch));
    }

    /** Calls a method. keep: its value stays here under the question's number, such as a stream. */
    call(id, { object, method, values, keep }, watch) {
        return this.#queue(object, async (model, target) => {
            if (!keep) {
                return target[method](...values, watch);
            }
            this.#objects.set(id, { owner: model, object: await target[method](...values) });
            return undefined;
        });
    }

    /** Calls of a model come one after another, those of its streams among them. */
    #queue(number, work) {
        const held = this.#objects.get(number);
        if (!held) {
            throw failure("Disposed", "the model was given back; load it again");
        }
        const model = held.owner ?? held;
        const turn = model.turn.then(() => work(model, held.object));
        model.turn = turn.catch(() => {});
        return turn;
    }

    /** Gives a model or an object of one back, after the calls before. */
    async release(_, { object: number }) {
        const held = this.#objects.get(number);
        this.#objects.delete(number);
        await (held?.owner ?? held)?.turn;
        await (held?.owner ? held.object.close?.() : held && this.#close(held));
    }

    #close(model) {
        return Promise.all(Object.values(model.parts).map((graph) => graph.dispose()));
    }
}
