/** Arrays that this package made from a caller's sound or picture: they go to the worker as they are, without a copy. */
const OWN = new WeakSet();

export function own(array) {
    OWN.add(array.buffer);
    return array;
}

export const ownBuffers = (values) => values.map((value) => value?.buffer).filter((buffer) => buffer && OWN.has(buffer));

/** Gives a buffer's memory back at once where the browser can do that; else garbage is collected later. */
export const free = (buffer) => buffer.byteLength && buffer.transfer?.(0);
