import { Tensors } from "./Tensors.js";

/**
 * @typedef {Record<string, import("./Tensors.js").Tensor>} Values by the names of inputs and outputs
 * @typedef {{run: (feeds: Values) => Promise<Values>, reset?: () => void}} Graph
 * @typedef {(done: number, total: number) => void} Watch told between calls of the network, in any unit; ends by throwing
 */

/**
 * What computes a task's answers from the parts of a bundle: graphs by name, and model.json. Each has methods of its own for
 * an app's inputs, which refuse bad ones with a RangeError, and `answer(golden, watch)`, which runs every part on the golden
 * input ("audio", "pixels", "numbers" or "text", by the task; of plain tensors all) and says the answer for people.
 */
export class TaskLoop {
    /** @param {Record<string, Graph>} parts */
    constructor(parts, description) {
        Object.assign(this, { parts, description, facts: description.facts });
    }

    /** What the description says of the first input, or output, of a part. */
    spec(part, side = "inputs") {
        return Tensors.part(this.description, part)[side][0];
    }

    /** The shape and the values of an output of a part, by default its first; all outputs are given back. */
    take(part, feeds, output = this.spec(part, "outputs").name) {
        return Tensors.take(this.parts[part], feeds, output);
    }
}
