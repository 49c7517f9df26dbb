import { Model, type CallOptions, type Chunks, type Sound } from "../core/types.js";

/** In seconds; a probability for every frame. */
export interface SpeechHeard { spans: { start: number; end: number }[]; probabilities: number[] }
export interface SpeechRules {
    threshold: number; release: number; shortest: number; pause: number; padding: number; longest: number; cut: number;
}

export class SpeechDetector extends Model {
    readonly rules: SpeechRules;
    /** Seconds of a frame. */
    readonly frame: number;
    detect(sound: Sound, options?: CallOptions & { rules?: Partial<SpeechRules> }): Promise<SpeechHeard>;
    /** The probabilities of the frames that each chunk completes. */
    listen(sound: Chunks, options?: { signal?: AbortSignal }): AsyncGenerator<number[]>;
}
