import { Model, type CallOptions, type Sound } from "../core/types.js";

export class CtcTranscriber extends Model {
    readonly rate: number;
    transcribe(sound: Sound, options?: CallOptions): Promise<string>;
}
