import { Model, type CallOptions } from "../core/types.js";

export interface VoiceManner { speed: number; noise: number; rhythm: number; seed: number }
export interface VoiceSound { samples: Float32Array; rate: number; sentences: string[]; unknown: string[] }

export class SpeechSynthesizer extends Model {
    readonly rate: number;
    /** Of espeak-ng, whose phonemes it knows, such as "en-us". */
    readonly voice: string;
    readonly manner: VoiceManner;
    speak(phonemes: string, options?: CallOptions & { manner?: Partial<VoiceManner> }): Promise<VoiceSound>;
}
