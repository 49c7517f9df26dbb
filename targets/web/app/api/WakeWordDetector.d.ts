import { Model, type CallOptions, type Chunks } from "../core/types.js";

export interface WakeWord { word: string; time: number; score: number }

export class WakeWordDetector extends Model {
    readonly words: string[];
    readonly rate: number;
    feed(chunk: Float32Array, options?: CallOptions): Promise<WakeWord[]>;
    reset(): Promise<void>;
    detect(sound: Chunks, options?: { signal?: AbortSignal }): AsyncGenerator<WakeWord>;
}
