import { cancellation } from "./failure.js";
import { OnnxGraph, startRuntime } from "./graph.js";
import { selfTest } from "./selftest.js";
import { readVectors } from "./vectors.js";

const INPUT = "golden/input.bin", REFERENCE = "golden/reference.bin";

/** Opens the networks of a bundle, and their loop. What is fetched next comes while the runtime opens a part. */
export async function open(Loop, files, { runtime, threads }, signal) {
    const description = await files.json("model.json"), parts = {};
    const names = description.parts.map((part) => part.file), known = files.has("vocabulary.bin");
    const close = () => Promise.all(Object.values(parts).map((graph) => graph.dispose()));
    files.expect(["model.json", ...names, ...(known ? ["vocabulary.bin"] : [])]);
    description.vocabulary = known ? await files.read("vocabulary.bin") : new Uint8Array();
    try {
        let next = Promise.all([files.read(names[0]), startRuntime(runtime, threads)]);
        for (const [i, part] of description.parts.entries()) {
            const [bytes, ort] = await next;
            next = names[i + 1] && files.read(names[i + 1]).then((more) => [more, ort]);
            next?.catch(() => {}); // it is awaited in its turn
            if (signal.aborted) {
                throw cancellation();
            }
            parts[part.name] = await OnnxGraph.open(ort, bytes, part.session ?? description.session);
        }
        return { object: new Loop(parts, description), test, close };
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
}
