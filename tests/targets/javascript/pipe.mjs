// The other end of tests/helpers/devices/jvm.py: a Python process that runs the parts of a real bundle, and keeps what
// they give. The form is that of targets/common/calls.py.

const MAGIC = 0x31434b45;
const KINDS = [
    [1, "float32", Float32Array], [7, "int64", BigInt64Array], [2, "uint8", Uint8Array], [3, "int8", Int8Array],
    [6, "int32", Int32Array], [9, "bool", Uint8Array],
]; // in the order in which jvm.py counts them
const LOOPS = new URL("../../../targets/web/app/loops/", import.meta.url);

/** A class of the loops, by its name. */
export async function load(name) {
    return (await import(new URL(`${name}.js`, LOOPS)))[name];
}

export const text = (value) => values(new TextEncoder().encode(String(value)), "uint8");
export const floats = (all) => values(Float32Array.from(all), "float32");
export const longs = (all) => values(BigInt64Array.from(all, BigInt), "int64");
/** What a tensor says: a text of its bytes, and its numbers as they are counted here. */
export const string = (tensor) => new TextDecoder().decode(tensor.data);
export const numbers = (tensor) => Array.from(tensor.data, Number);

function values(data, dtype) {
    return { dtype, shape: [data.length], data };
}

/** Tensors by name from a function that gives so many bytes: of a pipe, or of a file of golden values. */
export async function parse(take) {
    const number = async () => (await take(4)).readUInt32LE();
    const size = async () => Number((await take(8)).readBigInt64LE());
    if ((await number()) !== MAGIC || (await number()) !== 1) {
        throw new Error("these are no recorded tensors");
    }
    const tensors = {};
    for (let left = await number(); left > 0; left--) {
        const name = (await take(await number())).toString();
        const type = await number(), [, dtype, Values] = KINDS.find(([code]) => code === type);
        const shape = [];
        for (let axes = await number(); axes > 0; axes--) {
            shape.push(await size());
        }
        const content = await take(await size());
        tensors[name] = { dtype, shape, data: new Values(new Uint8Array(content).buffer) };
    }
    return tensors;
}

/** The tensors in the content of a file. */
export function parseFile(content) {
    let at = 0;
    return parse(async (count) => content.subarray(at, (at += count)));
}

/** Tensors that Python gave and nobody disposed of: a loop that ends leaves none. */
export const state = { open: 0 };

const chunks = process.stdin[Symbol.asyncIterator]();
let held = Buffer.alloc(0);

async function take(count) {
    if (held.length < count) {
        const all = [held];
        for (let size = held.length; size < count; ) {
            const { value, done } = await chunks.next();
            if (done) {
                throw new Error("the pipe has ended");
            }
            all.push(value);
            size += value.length;
        }
        held = Buffer.concat(all);
    }
    const found = held.subarray(0, count);
    held = held.subarray(count);
    return found;
}

/** The next tensors by name; null at the end. */
export async function receive() {
    if (held.length === 0) {
        const { value, done } = await chunks.next();
        if (done) {
            return null;
        }
        held = value;
    }
    return parse(take);
}

export function send(verb, tensors) {
    const all = Object.entries({ [`!${verb}`]: longs([]), ...tensors }), out = [];
    const put = (...counts) => out.push(Buffer.from(Uint32Array.from(counts).buffer));
    const sizes = (shape) => out.push(Buffer.from(BigInt64Array.from(shape, BigInt).buffer));
    put(MAGIC, 1, all.length);
    for (const [name, { dtype, shape, data }] of all) {
        const encoded = Buffer.from(name);
        put(encoded.length);
        out.push(encoded);
        put(KINDS.find(([, kind]) => kind === dtype)[0], shape.length);
        sizes([...shape, data.byteLength]);
        out.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
    process.stdout.write(Buffer.concat(out));
}

/** A part that Python runs; what it gives stays there. */
export function graph(part) {
    return {
        async run(feeds) {
            const given = Object.entries(feeds).map(([name, one]) => (one.handle ? [`@${name}`, one.handle()] : [name, one]));
            send(`run ${part}`, Object.fromEntries(given));
            const made = Object.entries(await receive());
            state.open += made.length;
            return Object.fromEntries(made.map(([name, told]) => [name, new Handle(...numbers(told))]));
        },
        reset() {
            send(`reset ${part}`, {});
        },
        dispose() {},
    };
}

/** A tensor that Python holds. */
class Handle {
    #number;
    #values = null;
    #disposed = false;

    constructor(number, type, ...shape) {
        this.#number = number;
        this.dtype = KINDS[type][1];
        this.shape = shape;
    }

    handle() {
        if (this.#disposed) {
            throw new Error("used after it was disposed of");
        }
        return longs([this.#number]);
    }

    async read() {
        if (!this.#values) {
            send("get", { "@values": this.handle() });
            this.#values = (await receive()).values.data;
        }
        return this.#values;
    }

    dispose() {
        send("free", { "@values": this.handle() });
        this.#disposed = true;
        state.open--;
    }
}
