import { failure } from "./failure.js";
import { opener } from "./networks.js";
import { free } from "./own.js";
import { nameErrors, takeTurn, usableThreads } from "./running.js";

/** LiteRT's number of a dtype -> the array that holds it. */
const ARRAYS = {
    1: Float32Array, 2: Int32Array, 3: Uint8Array, 4: BigInt64Array, 6: Uint8Array, 7: Int16Array, 9: Int8Array, 11: Float64Array,
};
/** A dtype of ours -> the array that holds it. */
const OWN = {
    float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array, int16: Int16Array, int8: Int8Array,
    uint8: Uint8Array, bool: Uint8Array,
};
/** The smallest module with an instruction of relaxed SIMD. */
const RELAXED = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
];

/**
 * LiteRT.js, started once in a worker for all models that run there. Relaxed SIMD multiplies int8 about twice as fast;
 * browsers without it get the build with plain SIMD.
 */
export async function startRuntime(addresses, threads) {
    self.edgekitLitertStarted ??= (async () => {
        const relaxed = WebAssembly.validate(Uint8Array.from(RELAXED));
        // It starts a worker for each processor: more threads than these would wait for each other.
        const count = relaxed ? Math.min(usableThreads(threads), navigator.hardwareConcurrency || 1) : 1;
        const kind = relaxed ? (count > 1 ? "threaded" : "") : "plain";
        const address = (word) => addresses[kind ? kind + word : word.toLowerCase()], lines = [];
        await import(/* webpackIgnore: true */ /* @vite-ignore */ address("Module"));
        const wasm = await self.edgekitLitert({
            locateFile: () => address("Wasm"),
            mainScriptUrlOrBlob: address("Module"),
            print() {},
            printErr: (line) => (lines.push(line), lines.splice(0, lines.length - 3)),
        });
        return { wasm, threads: count, environment: wasm.LiteRtEnvironment.create(null), said: () => lines.join(" ") };
    })();
    try {
        return await self.edgekitLitertStarted;
    } catch (error) {
        self.edgekitLitertStarted = undefined;
        throw failure("Unsupported", `LiteRT.js cannot be started: ${error?.message ?? error}`);
    }
}

/** A part of a model, run by LiteRT.js in WebAssembly. */
export class Graph {
    #runtime;
    #part;
    #address;
    #model;
    #compiled;
    /** Buffers of the inputs, {shape, buffer}; numbers of the dtypes that the file has for inputs and outputs. */
    #inputs;
    #kinds;
    /** Whether it was run since it was last new. */
    #used = false;

    constructor(runtime, part) {
        [this.#runtime, this.#part] = [runtime, part];
    }

    /**
     * @param bytes of the file; their memory is given back.
     * @param part {inputs, outputs} in the file's order; `steps` of those that the file holds as whole numbers and a caller
     *     as floats: {inputs: [[scale, zero] or null, …], outputs}; `stateful`.
     */
    static async open(runtime, bytes, part) {
        const graph = new Graph(runtime, part);
        await nameErrors(() => graph.#open(bytes), runtime.said);
        return graph;
    }

    async #open(bytes) {
        const { wasm, environment } = this.#runtime, { inputs, outputs } = this.#part;
        this.#address = wasm._malloc(bytes.length);
        wasm.HEAPU8.set(bytes, this.#address);
        this.#model = wasm.loadModel(environment, this.#address, bytes.length);
        free(bytes.buffer);
        await this.#compile();
        this.#inputs = inputs.map(() => ({}));
        const tensors = [
            ...inputs.map((_, at) => this.#model.getInputTensorType(0, at)),
            ...outputs.map((_, at) => this.#model.getOutputTensorType(0, at)),
        ];
        this.#kinds = tensors.map((tensor) => tensor.elementType().value);
        tensors.forEach((tensor) => tensor.delete());
    }

    async #compile() {
        const { wasm, environment, threads } = this.#runtime;
        const how = { accelerator: "wasm", cpuOptions: { numThreads: threads }, gpuOptions: {}, webNNOptions: {} };
        this.#compiled = await wasm.compileModel(environment, this.#model, how);
        this.#used = false;
    }

    /** Forgets what a network remembers of the calls before: it is compiled anew, as LiteRT.js has no call for that. */
    async reset() {
        if (this.#used && this.#part.stateful) {
            this.#compiled.delete();
            await nameErrors(() => this.#compile(), this.#runtime.said);
        }
    }

    /** @param feeds name -> {dtype, shape, data}, or what another run gave. */
    async run(feeds) {
        await takeTurn();
        this.#used = true;
        return nameErrors(async () => {
            this.#part.inputs.forEach((spec, at) => this.#write(feeds[spec.name], spec, at));
            const outputs = await this.#compiled.run(0, this.#inputs.map(({ buffer }) => buffer));
            return Object.fromEntries(this.#part.outputs.map((spec, at) => [spec.name, this.#read(outputs[at], spec, at)]));
        }, this.#runtime.said);
    }

    #write(tensor, { name, shape }, at) {
        const given = tensor?.shape ?? [];
        if (given.length !== shape.length || !shape.every((size, axis) => typeof size === "string" || size === given[axis])) {
            throw failure("RuntimeFailed", `${name} has the shape ${given}; the network takes ${shape}`);
        }
        const { wasm } = this.#runtime, buffer = this.#input(at, given);
        const values = convert(tensor.data, ARRAYS[this.#kinds[at]], this.#part.steps?.inputs[at]);
        const place = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE);
        wasm.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), place);
        buffer.unlock();
    }

    /** The buffer of an input, which LiteRT tells the shape of this call. */
    #input(at, shape) {
        if (`${this.#inputs[at].shape}` !== `${shape}`) {
            const { wasm, environment } = this.#runtime, sizes = new wasm.VectorInt32();
            shape.forEach((size) => sizes.push_back(size));
            const layout = wasm.LiteRtLayout.create(sizes);
            const kind = wasm.LiteRtRankedTensorType.create({ value: this.#kinds[at] }, layout);
            this.#inputs[at].buffer?.delete();
            const { LiteRtTensorBuffer, LiteRtTensorBufferType: { HOST_MEMORY } } = wasm;
            const buffer = LiteRtTensorBuffer.createManaged(environment, HOST_MEMORY, kind, kind.bytes());
            this.#inputs[at] = { shape: [...shape], buffer };
            [sizes, layout, kind].forEach((one) => one.delete());
        }
        return this.#inputs[at].buffer;
    }

    #read(buffer, { dtype, shape: known }, at) {
        const { wasm } = this.#runtime, shape = known.every(Number.isInteger) ? [...known] : sizesOf(buffer);
        const place = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
        const bytes = wasm.HEAPU8.slice(place, place + buffer.packedSize());
        buffer.unlock();
        buffer.delete();
        const steps = this.#part.steps?.outputs[at], held = new ARRAYS[this.#kinds[this.#inputs.length + at]](bytes.buffer);
        const data = steps ? Float32Array.from(held, (value) => (value - steps[1]) * Math.fround(steps[0])) : convert(held, OWN[dtype]);
        return { dtype, shape, data };
    }

    async dispose() {
        this.#inputs.forEach(({ buffer }) => buffer?.delete());
        this.#compiled.delete();
        this.#model.delete();
        this.#runtime.wasm._free(this.#address);
    }
}

function sizesOf(buffer) {
    const kind = buffer.tensorType(), layout = kind.layout(), sizes = layout.dimensions();
    const shape = Array.from({ length: sizes.size() }, (_, axis) => sizes.get(axis));
    [sizes, layout, kind].forEach((one) => one.delete());
    return shape;
}

/** Values in another array. steps: [scale, zero] of whole numbers that stand for floats; halves go to the even one. */
function convert(values, Held, steps) {
    if (values instanceof Held) {
        return values;
    }
    if (steps) {
        const least = Held === Uint8Array ? 0 : -(2 ** (8 * Held.BYTES_PER_ELEMENT - 1)), most = least + 2 ** (8 * Held.BYTES_PER_ELEMENT) - 1;
        return Held.from(values, (value) => Math.min(most, Math.max(least, even(value / Math.fround(steps[0])) + steps[1])));
    }
    return Held.from(values, Held === BigInt64Array ? BigInt : Number);
}

function even(value) {
    const whole = Math.round(value);
    return Math.abs(value % 1) === 0.5 && whole % 2 ? whole - 1 : whole;
}

export const open = opener(startRuntime, Graph);
