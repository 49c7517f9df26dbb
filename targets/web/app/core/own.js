/** Arrays that this package made from a caller's sound or picture: they go to the worker as they are, without a copy. */
const OWN = new WeakSet();

export function own(array) {
    OWN.add(array.buffer);
    return array;
}

export const ownBuffers = (values) => values.map((value) => value?.buffer).filter((buffer) => buffer && OWN.has(buffer));
