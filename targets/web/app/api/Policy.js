import { Model } from "../core/client.js";

/**
 * From what a robot's sensors say to what its motors do, a step at a time.
 * @example
 * const policy = await Policy.load();
 * const { applied } = await policy.act(new Float32Array(policy.observations));
 */
export class Policy extends Model {
    static properties = ["observations", "actions"];

    async act(observation, options) {
        const action = await this.call("act", [Float32Array.from(observation)], options);
        return { action, applied: await this.call("applied", [action], options) };
    }
}
