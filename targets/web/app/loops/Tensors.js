/**
 * Values of an input or output of a graph, row by row: float32, int64 (BigInt64Array), int32, uint8, int8, or bool (a
 * Uint8Array of 0 and 1). What a graph gives may be a handle into its runtime, without `data`.
 * @typedef {{dtype: string, shape: number[], data?: any, read?: () => Promise<any>, dispose?: () => void}} Tensor
 */

const DTYPES = new Map([
    [Float32Array, "float32"], [BigInt64Array, "int64"], [Int32Array, "int32"], [Uint8Array, "uint8"], [Int8Array, "int8"],
]);

/** Making, reading and giving back the tensors that go in and out of graphs. */
export class Tensors {
    /** A tensor of a typed array, whose type says its own. */
    static of(data, shape) {
        if (data.length !== Tensors.size(shape)) {
            throw new RangeError(`${data.length} values do not fill a shape of ${Tensors.size(shape)}`);
        }
        return { dtype: DTYPES.get(data.constructor), shape, data };
    }

    /** How many values a shape has. */
    static size(shape) {
        return shape.reduce((product, axis) => product * axis, 1);
    }

    /** The values of a tensor, from the runtime's memory where they lie there. */
    static async read(output) {
        return output.data ?? (await output.read());
    }

    /** Gives memory back to the runtime. */
    static dispose(output) {
        output.dispose?.();
    }

    static disposeAll(outputs) {
        Object.values(outputs).forEach(Tensors.dispose);
    }

    /** The shape and the values of one output of a run; all outputs are given back. */
    static async take(graph, feeds, name) {
        const made = await graph.run(feeds);
        try {
            return { shape: made[name].shape, data: await Tensors.read(made[name]) };
        } finally {
            Tensors.disposeAll(made);
        }
    }

    /** What a description says of a part. */
    static part(description, name) {
        const part = description.parts.find((one) => one.name === name);
        if (!part) {
            throw new Error(`the bundle has no part ${name}`);
        }
        return part;
    }

    /** The size of an axis of an input or output; 0: any. */
    static axis(spec, place) {
        return typeof spec.shape[place] === "number" ? Math.max(0, spec.shape[place]) : 0;
    }
}
