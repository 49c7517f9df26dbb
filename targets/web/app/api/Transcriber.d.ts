import { Model, type CallOptions, type Chunks, type Sound } from "../core/types.js";

export interface Segment { start: number; end: number; text: string }
export interface Word { word: string; start: number; end: number; probability: number }
export interface Transcript {
    text: string; language: string | null; segments: Segment[]; words: Word[]; windows: number[]; fallbacks: string[];
    skipped: number;
}
/** text: final since the last one; pending: what may come next. */
export interface Heard { text: string; words: Word[]; pending: string; notes: string[] }
export interface SpeechOptions { language?: string; translate?: boolean; vad?: boolean }

export class Transcriber extends Model {
    readonly languages: string[];
    transcribe(
        sound: Sound, options?: CallOptions & SpeechOptions & { timestamps?: boolean; words?: boolean },
    ): Promise<Transcript>;
    stream(sound: Chunks, options?: SpeechOptions & { signal?: AbortSignal }): AsyncGenerator<Heard>;
}
