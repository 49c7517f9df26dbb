import { cancellation } from "./failure.js";
import { selfTest } from "./selftest.js";
import { readVectors } from "./vectors.js";

const INPUT = "golden/input.bin", REFERENCE = "golden/reference.bin";

/**
 * What opens the networks of a bundle with a runtime, and their loop, which can begin at once: a part that is run is waited
 * for. Files come one after another, the small ones first, whatever the runtime does meanwhile. `opened` is settled with the
 * last part.
 *
 * @param startRuntime (addresses, threads) -> the runtime. Graph: what runs a part with it.
 */
export const opener = (startRuntime, Graph) => async (Loop, files, { runtime, threads }, signal) => {
    const description = await files.json("model.json"), known = files.has("vocabulary.bin");
    const order = [...description.parts].sort((one, other) => files.size(one.file) - files.size(other.file));
    files.expect(["model.json", ...order.map((part) => part.file), ...(known ? ["vocabulary.bin"] : [])]);
    description.vocabulary = known ? await files.read("vocabulary.bin") : new Uint8Array();
    let read = Promise.resolve(), last = startRuntime(runtime, threads);
    const starting = last, parts = {};
    for (const part of order) {
        const bytes = (read = read.then(() => files.read(part.file))), before = last;
        bytes.catch(() => {}); // it is awaited in its turn
        last = (async () => {
            await before;
            const content = await bytes;
            if (signal.aborted) {
                throw cancellation();
            }
            return Graph.open(await starting, content, part);
        })();
        parts[part.name] = new Part(last);
    }
    const close = () => Promise.all(Object.values(parts).map((part) => part.dispose()));
    try {
        return { object: new Loop(parts, description), test, close, opened: last };
    } catch (error) {
        close();
        throw error;
    }

    /** early: as soon as all that is compared was computed, there is no need of an answer. */
    async function test(watch, early) {
        files.expect([INPUT, REFERENCE]);
        const golden = readVectors(await files.read(INPUT)), reference = readVectors(await files.read(REFERENCE));
        return selfTest(Loop, parts, description, golden, reference, watch, early);
    }
};

/** A part of a model that may not be open yet. */
class Part {
    #graph;

    constructor(graph) {
        this.#graph = graph;
        graph.catch(() => {}); // who runs it, or waits for the last, is told
    }

    async run(feeds) {
        return (await this.#graph).run(feeds);
    }

    /** What is run behind it waits for it. */
    reset() {
        this.#graph = this.#graph.then(async (graph) => {
            await graph.reset?.();
            return graph;
        });
        this.#graph.catch(() => {});
    }

    async dispose() {
        await this.#graph.then((graph) => graph.dispose(), () => {});
    }
}
