import { failure } from "./failure.js";
import { opener } from "./networks.js";
import { free } from "./own.js";
import { nameErrors, takeTurn, usableThreads } from "./running.js";
import { withoutWeights } from "./weights.js";

/**
 * onnxruntime-web, started once in a worker for all models that run there. Each package brings its own copy by address,
 * so that no bundler has to find the .wasm file.
 */
export async function startRuntime({ module, mjs, wasm }, threads) {
    self.edgekitRuntime ??= (async () => {
        const ort = await import(/* webpackIgnore: true */ /* @vite-ignore */ module);
        Object.assign(ort.env.wasm, { wasmPaths: { mjs, wasm }, numThreads: usableThreads(threads) });
        ort.env.logLevel = "error";
        return ort;
    })();
    try {
        return await self.edgekitRuntime;
    } catch (error) {
        self.edgekitRuntime = undefined;
        throw failure("Unsupported", `onnxruntime-web cannot be started: ${error?.message ?? error}`);
    }
}

/** A part of a model, run by onnxruntime-web in WebAssembly. */
export class Graph {
    #ort;
    #session;

    constructor(ort, session) {
        [this.#ort, this.#session] = [ort, session];
    }

    /**
     * @param bytes of the file; their memory is given back.
     * @param session options of it, such as {extra: {session: {disable_quant_qdq: "1"}}}: the bundle says which.
     */
    static async open(ort, bytes, { session: options } = {}) {
        const [graph, weights] = withoutWeights(bytes);
        const all = { executionProviders: ["wasm"], logSeverityLevel: 3, ...options, ...weights };
        const session = await nameErrors(() => ort.InferenceSession.create(graph, all));
        free(bytes.buffer);
        return new Graph(ort, session);
    }

    /** @param feeds name -> {dtype, shape, data}, or what another run gave. */
    async run(feeds) {
        await takeTurn();
        const inputs = {};
        for (const [name, tensor] of Object.entries(feeds)) {
            inputs[name] = new this.#ort.Tensor(tensor.dtype, Output.values(tensor), tensor.shape);
        }
        const outputs = await nameErrors(() => this.#session.run(inputs));
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, new Output(tensor)]));
    }

    async dispose() {
        await this.#session.release();
    }
}

/** What a run gives. Its memory goes back with `dispose`, unless somebody took the values: caches are fed and never read. */
class Output {
    #values;
    #taken = false;

    constructor({ type, dims, data }) {
        [this.dtype, this.shape, this.#values] = [type, [...dims], data];
    }

    get data() {
        this.#taken = true;
        return this.#values;
    }

    dispose() {
        this.#taken || free(this.#values.buffer);
    }

    static values(tensor) {
        return tensor instanceof Output ? tensor.#values : tensor.data;
    }
}

export const open = opener(startRuntime, Graph);
