import { failure } from "./failure.js";

/** Fields of wllama's message that opens a model, in their order. */
const LOAD = `model_paths mmproj_path n_ctx_auto use_mmap use_mlock n_gpu_layers n_ctx n_threads model_alias log_level embeddings
    offload_kqv n_batch n_ubatch n_parallel pooling_type rope_scaling_type rope_freq_base rope_freq_scale yarn_ext_factor
    yarn_attn_factor yarn_beta_fast yarn_beta_slow yarn_orig_ctx cache_type_k cache_type_v kv_unified flash_attn swa_full
    n_ctx_checkpoints checkpoint_min_step chat_template jinja default_template_kwargs_keys default_template_kwargs_vals
    reasoning image_min_tokens image_max_tokens warmup no_kv_offload mmproj_offload cont_batching n_keep ctx_shift
    cache_idle_slots n_cache_reuse lora_paths lora_scales lora_init_without_apply spec_draft_model spec_draft_ngl
    spec_draft_n_max spec_draft_n_min spec_draft_p_min spec_draft_threads spec_draft_threads_batch kv_overrides_keys
    kv_overrides_vals reasoning_budget_tokens reasoning_budget_message reasoning_format skip_chat_parsing
    prefill_assistant`.split(/\s+/);
/** Tokens of a prompt that are computed at once: a call can be cancelled between them. */
const BATCH = 64;
const FILE = "model.gguf", ERROR = 4;
/** What is said of a step whose bytes are no text: wllama loses it. */
const LOST = [true, true, false, JSON.stringify({ choices: [{ text: "\ufffd" }] })];

/**
 * A language model in llama.cpp, by the WebAssembly of wllama: called in this worker, so that no worker is made of a
 * text, which a strict policy forbids. Messages to it are those that wllama's own JavaScript sends.
 */
export class Llama {
    #module;
    #said = "";
    threads;
    /** Whether the model wants a token of its own before a text. */
    begins;

    /**
     * Starts the runtime, without a model.
     * @param runtime addresses {module, wasm}. threads: more than one needs isolation.
     */
    static async start(runtime, threads) {
        const lacking = missing(), most = self.crossOriginIsolated ? navigator.hardwareConcurrency || 1 : 1;
        if (lacking) {
            throw failure("Unsupported", `this browser has no ${lacking}, which language models need: try the newest Chrome or Edge`);
        }
        // Our figures are of the processor: llama.cpp would take a GPU for long prompts even where no layer is given to it.
        Object.defineProperty(navigator, "gpu", { configurable: true, value: { requestAdapter: async () => null } });
        try {
            await (self.edgekitLlama ?? import(/* webpackIgnore: true */ /* @vite-ignore */ runtime.module));
            const llama = new Llama();
            // They wait for each other in a loop: one that gets no core makes all slower.
            llama.threads = Math.max(1, Math.min(4, threads ?? Math.floor(most / 2), most));
            await llama.#begin(runtime);
            return llama;
        } catch (error) {
            throw failure("Unsupported", `wllama cannot be started: ${error?.message ?? error}`);
        }
    }

    #begin({ module: code, wasm }) {
        return new Promise((done, fail) => {
            this.#module = {
                noInitialRun: true,
                pthreadPoolSize: this.threads > 1 ? this.threads : 0,
                mainScriptUrlOrBlob: code,
                locateFile: () => wasm,
                print() {},
                printErr: (text) => (this.#said ||= /@@ERROR@@(.*)/.exec(text)?.[1] ?? ""),
                onAbort: (reason) => fail(failure("RuntimeFailed", String(reason))),
                onRuntimeInitialized: () => this.#call("wllama_start", "string", [], []).then(done, fail),
            };
            self.edgekitLlama(this.#module);
        });
    }

    /** Room for a file of so many bytes, in the memory of WebAssembly: the weights lie there once, and nowhere else. */
    file(size) {
        const { FS, MEMFS, mmapAlloc, wasmMemory } = this.#module, place = mmapAlloc(size);
        if (!place) {
            throw failure("OutOfMemory", `the model needs ${size} bytes, which this page cannot have`);
        }
        const bytes = new Uint8Array(wasmMemory.buffer, Number(place), size);
        FS.mkdir("/models");
        FS.createDataFile("/models", FILE, new Uint8Array(), true, true, true);
        const { node } = FS.lookupPath(`/models/${FILE}`);
        Object.assign(node, { contents: bytes, usedBytes: size });
        const mmap = (_, length, position) => ({ ptr: BigInt(place) + BigInt(position), allocated: false });
        node.stream_ops = { ...node.stream_ops, mmap };
        return bytes;
    }

    /** Opens that file. cache: the type of keys and values, such as "f16". */
    async load(context, cache = "f16") {
        const asked = {
            model_paths: [`models/${FILE}`], n_ctx_auto: false, use_mmap: true, use_mlock: false, n_gpu_layers: 0,
            n_ctx: context, n_threads: this.threads, n_batch: BATCH, n_ubatch: BATCH, n_parallel: 1, log_level: ERROR,
            cache_type_k: cache, cache_type_v: cache, kv_unified: true, swa_full: false, warmup: false,
            cache_idle_slots: false,
        };
        const [success, ...facts] = await this.#ask("load", "load_req", LOAD.map((name) => asked[name] ?? null));
        if (!success) {
            throw failure("Unsupported", `wllama cannot open the model: ${this.#said || "it gave no reason"}`);
        }
        this.begins = facts[13];
    }

    /** Begins an answer to a request as llama.cpp's server takes it. */
    async complete(request) {
        const [success, id] = await this.#ask("completion", "cmpl_req", [false, false, JSON.stringify(request), []]);
        if (!success) {
            throw failure("RuntimeFailed", this.#said || "wllama began no answer");
        }
        return new Completion((...asked) => this.#ask(...asked), id);
    }

    /** Its memory goes with the last reference to it. */
    close() {
        this.#module = undefined;
    }

    async #ask(action, name, fields) {
        if (!this.#module) {
            throw failure("Disposed", "the model was given back; load it again");
        }
        this.#said = "";
        const message = encode(name, fields), heap = () => this.#module.wasmMemory.buffer;
        const place = await this.#call("wllama_malloc", "bigint", ["number", "bigint"], [BigInt(message.length), 0]);
        new Uint8Array(heap(), Number(place), message.length).set(message);
        const answer = await this.#call("wllama_action", "bigint", ["string", "bigint"], [action, place]);
        if (!answer) {
            throw failure("RuntimeFailed", this.#said || `wllama failed in ${action}`);
        }
        const [size] = new Uint32Array(heap(), Number(place), 1);
        return decode(new Uint8Array(heap(), Number(answer), size).slice());
    }

    async #call(name, type, types, values) {
        try {
            return await this.#module.ccall(name, type, types, values, { async: name !== "wllama_malloc" });
        } catch (error) {
            const text = String(error?.message ?? error), memory = /memory|alloc|OOM/i.test(`${text} ${this.#said}`);
            throw failure(memory ? "OutOfMemory" : "RuntimeFailed", this.#said ? `${this.#said} (${text})` : text);
        }
    }
}

/** An answer that is being made, a step at a time. */
class Completion {
    #ask;
    #id;

    constructor(ask, id) {
        [this.#ask, this.#id] = [ask, id];
    }

    /**
     * Computes a token, or a part of the prompt.
     * @returns {Promise<{said?: any, error?: any, more: boolean}>} what the server answers, if it has something to say.
     */
    async next() {
        const [, more, wrong, text] = await this.#ask("get_result", "gres_req", [this.#id]).catch((error) => {
            if (/invalid UTF-8/.test(error.message)) {
                return LOST;
            }
            throw error;
        });
        return { [wrong ? "error" : "said"]: text ? JSON.parse(text) : undefined, more };
    }

    cancel() {
        return this.#ask("cancel", "cncl_req", [this.#id]);
    }
}

/** What language models need beside SIMD, without which no worker begins. */
function missing() {
    try {
        new WebAssembly.Memory({ address: "i64", initial: 1n });
    } catch {
        return "64-bit memory of WebAssembly";
    }
    return WebAssembly.Suspending ? "" : "JSPI of WebAssembly";
}

/** wllama's messages: a name of eight letters, then each field behind the number of its type. */
function encode(name, fields) {
    const bytes = [], put = (...more) => more.forEach((byte) => bytes.push(byte)), text = new TextEncoder();
    const number = (value) => put(...new Uint8Array(Int32Array.of(value).buffer));
    const string = (value) => {
        const encoded = text.encode(value);
        number(encoded.length);
        encoded.forEach((byte) => bytes.push(byte));
    };
    put(...text.encode("GLUE"));
    number(1);
    put(...text.encode(name));
    for (const field of fields) {
        if (field === null) {
            number(0);
        } else if (typeof field === "string") {
            number(4);
            string(field);
        } else if (Array.isArray(field)) {
            number(field.length ? 9 : 10); // texts, or no files
            number(field.length);
            field.forEach(string);
        } else {
            number(typeof field === "boolean" ? 1 : 2);
            number(Number(field));
        }
    }
    return Uint8Array.from(bytes);
}

/** The values of the fields of a message. */
function decode(bytes) {
    const view = new DataView(bytes.buffer), text = new TextDecoder(), values = [];
    let at = 16; // behind the header
    const number = () => view.getInt32((at += 4) - 4, true);
    const raw = () => {
        const size = number();
        return bytes.subarray(at, (at += size));
    };
    const string = () => text.decode(raw()), float = () => view.getFloat32((at += 4) - 4, true);
    const readers = [() => null, () => !!number(), number, float, string, raw];
    while (at < bytes.length) {
        const type = number(), reader = readers[type < 6 ? type : type - 5];
        values.push(type < 6 ? reader() : Array.from({ length: number() }, reader));
    }
    return values;
}
