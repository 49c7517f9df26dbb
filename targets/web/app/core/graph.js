import { failure } from "./failure.js";
import { free } from "./own.js";
import { withoutWeights } from "./weights.js";

/**
 * onnxruntime-web, started once in a worker for all models that run there. Each package brings its own copy by address,
 * so that no bundler has to find the .wasm file.
 */
export async function startRuntime({ module, mjs, wasm }, threads) {
    self.edgekitRuntime ??= (async () => {
        const ort = await import(/* webpackIgnore: true */ /* @vite-ignore */ module);
        const most = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
        Object.assign(ort.env.wasm, { wasmPaths: { mjs, wasm }, numThreads: Math.min(threads ?? most, most) });
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
export class OnnxGraph {
    #ort;
    #session;

    constructor(ort, session) {
        [this.#ort, this.#session] = [ort, session];
    }

    /**
     * @param bytes of the file; their memory is given back.
     * @param options of the session, such as {extra: {session: {disable_quant_qdq: "1"}}}: the bundle says which.
     */
    static async open(ort, bytes, options = {}) {
        const [graph, weights] = withoutWeights(bytes);
        const all = { executionProviders: ["wasm"], logSeverityLevel: 3, ...options, ...weights };
        const session = await withNames(() => ort.InferenceSession.create(graph, all));
        free(bytes.buffer);
        return new OnnxGraph(ort, session);
    }

    /** @param feeds name -> {dtype, shape, data}, or what another run gave. */
    async run(feeds) {
        await turn();
        const inputs = {};
        for (const [name, tensor] of Object.entries(feeds)) {
            inputs[name] = new this.#ort.Tensor(tensor.dtype, Output.values(tensor), tensor.shape);
        }
        const outputs = await withNames(() => this.#session.run(inputs));
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

/** The runtime's errors by a name of ours. It also throws bare numbers: addresses of errors that it cannot tell. */
async function withNames(work) {
    try {
        return await work();
    } catch (error) {
        const text = String(error?.message ?? error);
        const memory = typeof error === "number" || /bad_alloc|memory|allocat/i.test(text);
        throw memory
            ? failure("OutOfMemory", `the model needs more memory than this page can have (${text})`)
            : failure("RuntimeFailed", text);
    }
}

// WebAssembly in a worker blocks it, and awaiting it lets no message in: without a turn now and then no call could be
// cancelled. A message to itself is the fastest turn; timers wait 4 ms.
const channel = new MessageChannel(), waiting = [];
channel.port1.onmessage = () => waiting.shift()();
let last = 0;

async function turn() {
    if (performance.now() - last > 30) {
        await new Promise((done) => {
            waiting.push(done);
            channel.port2.postMessage(0);
        });
        last = performance.now();
    }
}
