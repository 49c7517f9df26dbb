import { Model, type CallOptions, type Sound } from "../core/types.js";

export class SpeakerVerifier extends Model {
    /** A similarity of at least this means the same speaker. */
    readonly threshold: number;
    embed(clip: Sound, options?: CallOptions): Promise<Float32Array>;
    similarity(one: Float32Array, other: Float32Array): number;
}
