import { Numbers } from "./Numbers.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** A policy without state: from what a robot's sensors say to what its motors do, a step at a time. */
export class PolicySteering extends TaskLoop {
    /** Numbers of an observation, and of an action. */
    observations = this.spec("network").shape[1];
    actions = this.spec("network", "outputs").shape[1];

    /** The action for an observation, a Float32Array, as the network gives it: motors clip what is beyond the limit. */
    async act(observation) {
        const { length } = observation, size = this.observations;
        if (length !== size) {
            throw new RangeError(`an observation has ${length} numbers; this robot's has ${size}`);
        }
        if (!observation.every(Number.isFinite)) {
            throw new RangeError("an observation holds a number that is not finite");
        }
        return (await this.take("network", { [this.spec("network").name]: Tensors.of(observation, [1, size]) })).data;
    }

    /** An action within the limit, as motors take it. */
    applied(action) {
        return action.map((value) => Math.max(-this.facts.limit, Math.min(this.facts.limit, value)));
    }

    /** The last applied action for rows of observations. */
    async answer({ numbers: { data } }, watch = () => {}) {
        let action = [];
        for (let at = 0; at < data.length; at += this.observations) {
            watch(at, data.length);
            action = this.applied(await this.act(data.slice(at, at + this.observations)));
        }
        return Array.from(action, (value) => Numbers.text(value, 2, true)).join(" ");
    }
}
