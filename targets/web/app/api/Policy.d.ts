import { Model, type CallOptions } from "../core/types.js";

export class Policy extends Model {
    readonly observations: number;
    readonly actions: number;
    /** The action as the network gives it, and within the limit that the motors follow. */
    act(observation: ArrayLike<number>, options?: CallOptions): Promise<{ action: Float32Array; applied: Float32Array }>;
}
