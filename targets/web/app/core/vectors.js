import { failure } from "./failure.js";

const TYPES = {
    1: ["float32", Float32Array], 2: ["uint8", Uint8Array], 3: ["int8", Int8Array], 6: ["int32", Int32Array],
    7: ["int64", BigInt64Array], 9: ["bool", Uint8Array],
};

/** The tensors of golden/*.bin by name (targets/common/calls.py has the form). */
export function readVectors(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), tensors = {};
    let at = 0;
    const number = () => view.getUint32((at += 4) - 4, true), long = () => Number(view.getBigInt64((at += 8) - 8, true));
    const take = (size) => bytes.slice(at, (at += size));
    try {
        if (number() !== 0x31434b45 || number() !== 1) {
            throw new RangeError("another form");
        }
        for (let left = number(); left > 0; left--) {
            const name = new TextDecoder().decode(take(number())), [dtype, Values] = TYPES[number()];
            const shape = Array.from({ length: number() }, long);
            tensors[name] = { dtype, shape, data: new Values(take(long()).buffer) };
        }
        return tensors;
    } catch (error) {
        throw failure("Damaged", `the golden files cannot be read: ${error.message}`);
    }
}
