import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** Tensors by name through every part in its order: each takes what the app gives and what parts before it gave. */
export class TensorChain extends TaskLoop {
    constructor(parts, description) {
        super(parts, description);
        const given = new Map(), made = new Set();
        for (const { inputs, outputs } of description.parts) {
            inputs.filter(({ name }) => !made.has(name) && !given.has(name)).forEach((spec) => given.set(spec.name, spec));
            outputs.forEach(({ name }) => made.add(name));
        }
        const taken = new Set(description.parts.flatMap((part) => part.inputs.map((spec) => spec.name)));
        /** What an app gives, and what it gets: as in model.json. */
        this.inputs = [...given.values()];
        this.outputs = description.parts.flatMap((part) => part.outputs.filter((spec) => !taken.has(spec.name)));
    }

    async answer(golden, watch) {
        const made = await this.run(golden, watch);
        return this.outputs.map(({ name }) => `${name} ${TensorChain.#describe(made[name])}`).join(", ");
    }

    /** The outputs by name; it takes every one of `inputs`, in its type and shape, and axes of one name have one size. */
    async run(given, watch = () => {}) {
        this.#check(given);
        const values = { ...given }, made = [], kept = {};
        try {
            for (const [place, part] of this.description.parts.entries()) {
                watch(place, this.description.parts.length);
                const feeds = Object.fromEntries(part.inputs.map(({ name }) => [name, values[name]]));
                made.push(await this.parts[part.name].run(feeds));
                Object.assign(values, made.at(-1));
            }
            for (const { name } of this.outputs) {
                const { dtype, shape } = values[name];
                kept[name] = { dtype, shape, data: (await Tensors.read(values[name])).slice() };
            }
            return kept;
        } finally {
            made.forEach(Tensors.disposeAll);
        }
    }

    #check(given) {
        const sizes = {}, describe = TensorChain.#describe;
        for (const spec of this.inputs) {
            const { [spec.name]: tensor } = given;
            if (!tensor) {
                throw new RangeError(`the input ${spec.name} is missing: it is ${describe(spec)}`);
            }
            const { dtype, shape } = tensor;
            const fits = (axis, i) => shape[i] === (typeof axis === "string" ? (sizes[axis] ??= shape[i]) : axis);
            if (dtype !== spec.dtype || shape.length !== spec.shape.length || !spec.shape.every(fits)) {
                const told = Object.entries(sizes).map(([axis, size]) => `${axis}=${size}`).join(", ");
                const must = describe(spec) + (told && ` with ${told}`);
                throw new RangeError(`the input ${spec.name} is ${describe(tensor)}; it must be ${must}`);
            }
        }
        const names = this.inputs.map((spec) => spec.name), other = Object.keys(given).find((name) => !names.includes(name));
        if (other !== undefined) {
            throw new RangeError(`the network has no input ${other}, only ${names.join(", ")}`);
        }
    }

    static #describe({ dtype, shape }) {
        return `${dtype} ${shape.length ? shape.join(" x ") : "scalar"}`;
    }
}
