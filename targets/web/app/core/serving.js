import { failure, cancellation } from "./failure.js";
import { Files } from "./files.js";

const TESTED = "tested";

/**
 * Answers the page's questions in this worker. Other packages of the page come in here by their own address, so that all
 * models share one runtime.
 *
 * @param name of the package, with its version. Loop: what computes its answers. open: opens a model with its loop, and gives
 *     {object, test, close}: networks.js or language.js.
 */
export function serve(name, Loop, open) {
    const services = (self.edgekitServices ??= new Map());
    services.set(name, new Service(Loop, open));
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
    #open;
    /** Number -> a model, or an object of one (a stream). */
    #objects = new Map();
    #running = new Map();

    constructor(Loop, open) {
        [this.#Loop, this.#open] = [Loop, open];
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

    /** Ends a call, or gives back what it made meanwhile: who asked does not wait for it. */
    stop(_, { call }) {
        const running = this.#running.get(call);
        return running ? running.abort() : this.release(0, { object: call });
    }

    /** Opens a model; its number is the question's. */
    async load(id, { list, properties, test, ...how }, watch, signal) {
        const report = (stage) => (done, total) => self.postMessage({ id, progress: [done, total, stage] });
        const files = await Files.open(list, report("fetch"), signal);
        const model = { files, turn: Promise.resolve(), ...(await this.#open(this.#Loop, files, how, signal)) };
        let opened = false; // a test begins before: until then it is the files that are waited for
        Promise.resolve(model.opened).then(() => (opened = true), () => {});
        try {
            if (test) {
                await this.#check(model, (done, total) => opened && report("test")(done, total), signal);
            }
            await model.opened;
            await model.files.finishKeeping();
        } catch (error) {
            model.close();
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
        const { passed, errors, limits } = await model.test((done, total) => {
            if (signal.aborted) {
                throw cancellation();
            }
            report(done, total);
        }, true);
        if (!passed) {
            const far = Object.entries(errors).map(([part, error]) => `${part} ${error.toPrecision(3)} (at most ${limits[part]})`);
            throw failure("SelfTestFailed", `this browser computes other values than the reference: ${far.join(", ")}`);
        }
        report(1, 1);
        await model.files.keep(TESTED, navigator.userAgent);
    }

    test(_, { object }, watch) {
        return this.#queue(object, (model) => model.test(watch));
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
        await (held?.owner ? held.object.close?.() : held?.close());
    }
}
