// Fields of ONNX's messages (onnx.proto), each a tag of protobuf: number << 3 | 2, a length and bytes.
const GRAPH = 7, INITIALIZER = 5, RAW = 9, EXTERNAL = 13, LOCATION = 14, BYTES = 2;
const FILE = "weights", LEAST = 4096;

/**
 * An .onnx file as onnxruntime-web opens it with the least memory: the graph without its large weights, which it then
 * copies straight from the file to where it computes with them. Given whole, the file is copied, parsed and copied again.
 *
 * @param {Uint8Array} file
 * @returns {[Uint8Array, {externalData?: {path: string, data: Uint8Array}[]}]} what to open, and options of the session.
 */
export function withoutWeights(file) {
    const graph = [...fieldsOf(file, 0, file.length)].map((field) =>
        field.number === GRAPH ? message(GRAPH, [...fieldsOf(file, field.begin, field.end)].map((one) => lighter(file, one))) : whole(file, field),
    );
    return [joined(graph), { externalData: [{ path: FILE, data: file }] }];
}

function lighter(file, field) {
    if (field.number !== INITIALIZER || field.end - field.begin < LEAST) {
        return whole(file, field);
    }
    const fields = [...fieldsOf(file, field.begin, field.end)], raw = fields.find((one) => one.number === RAW);
    if (!raw || raw.end - raw.begin < LEAST) {
        return whole(file, field);
    }
    const place = { location: FILE, offset: raw.begin, length: raw.end - raw.begin };
    const kept = fields.filter((one) => one !== raw).map((one) => whole(file, one));
    return message(INITIALIZER, [...kept, ...Object.entries(place).map(entry), [LOCATION << 3, 1]]);
}

/** The fields of a message: where each begins with its tag, its content's begin and end. */
function* fieldsOf(bytes, begin, end) {
    for (let at = begin; at < end; ) {
        const start = at, tag = readNumber(bytes, at), kind = tag.value & 7;
        at = tag.next;
        const number = kind === BYTES || kind === 0 ? readNumber(bytes, at) : { value: 0, next: at + (kind === 1 ? 8 : 4) };
        const stop = kind === BYTES ? number.next + number.value : number.next;
        yield { number: tag.value >> 3, start, begin: number.next, end: stop };
        at = stop;
    }
}

/** A varint; what is above 2^53 is not exact, and is not used here. */
function readNumber(bytes, at) {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (!(byte & 128)) {
            return { value, next: at };
        }
    }
}

const whole = (file, { start, end }) => file.subarray(start, end);

function message(number, pieces) {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return joined([writeNumber((number << 3) | BYTES), writeNumber(size), ...pieces]);
}

const entry = ([key, value]) =>
    message(EXTERNAL, [key, String(value)].map((text, i) => message(i + 1, [new TextEncoder().encode(text)])));

function writeNumber(value) {
    const bytes = [];
    for (; value > 127; value = Math.floor(value / 128)) {
        bytes.push((value % 128) | 128);
    }
    return [...bytes, value];
}

function joined(pieces) {
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
    }
    return all;
}
