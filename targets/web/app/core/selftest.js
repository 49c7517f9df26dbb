// Calls of a part that are compared, and the most values of an output that were kept.
const CALLS = 2, KEPT = 2048;
const ENOUGH = Symbol("all that is compared was computed");

/**
 * Does this browser compute what the fp32 reference computed? The golden input goes through the whole model; outputs of
 * the first calls of every part are sampled and compared with what was recorded when the bundle was made.
 *
 * @param early whether to end as soon as all that is compared was computed: then there is no answer.
 * @returns {Promise<{errors: Record<string, number>, limits: Record<string, number>, answer: string, expected: string, passed: boolean}>}
 */
export async function selfTest(Loop, parts, description, golden, reference, watch, early = false) {
    const seen = {}, recorders = {}, errors = {}, wanted = Object.keys(reference);
    const check = () => {
        if (early && wanted.every((output) => output in seen)) {
            throw ENOUGH;
        }
    };
    for (const [name, graph] of Object.entries(parts)) {
        recorders[name] = recorder(name, graph, seen, check);
    }
    const answer = await new Loop(recorders, description).answer(golden, watch).catch((error) => {
        if (error !== ENOUGH) {
            throw error;
        }
        return "";
    });
    for (const name of Object.keys(parts)) {
        const all = wanted.filter((output) => output.startsWith(`${name}/`));
        errors[name] = all.length ? Math.max(...all.map((one) => distance(seen[one], reference[one].data))) : Infinity;
    }
    const { limits, answer: expected } = description, far = Object.keys(errors).filter((part) => !(errors[part] <= limits[part]));
    // The answer may differ: kernels round otherwise on every processor.
    return { errors, limits, answer, expected, passed: far.length === 0 };
}

/** A graph that remembers sampled outputs of its first calls. */
function recorder(name, graph, seen, check) {
    let calls = 0;
    return {
        async run(feeds) {
            check();
            const outputs = await graph.run(feeds);
            for (const [output, tensor] of calls < CALLS ? Object.entries(outputs) : []) {
                seen[`${name}/${calls}/${output}`] = sampleValues(tensor.data ?? (await tensor.read()));
            }
            calls++;
            return outputs;
        },
        reset: () => graph.reset?.(),
        dispose() {},
    };
}

function sampleValues(values) {
    const step = Math.max(1, Math.ceil(values.length / KEPT));
    return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => Number(values[i * step]));
}

/** Root mean square of the difference, relative to that of the reference. What is not a number never counts as near. */
function distance(values, expected) {
    if (values?.length !== expected.length) {
        return Infinity;
    }
    let off = 0, size = 0;
    for (let i = 0; i < values.length; i++) {
        off += (values[i] - expected[i]) ** 2;
        size += expected[i] ** 2;
    }
    const error = Math.sqrt(off) / (Math.sqrt(size) || 1);
    return Number.isNaN(error) ? Infinity : error;
}
