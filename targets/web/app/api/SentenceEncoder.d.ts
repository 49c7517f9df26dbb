import { Model, type CallOptions } from "../core/types.js";

export class SentenceEncoder extends Model {
    embed(text: string, options?: CallOptions): Promise<Float32Array>;
    similarity(one: Float32Array, other: Float32Array): number;
}
