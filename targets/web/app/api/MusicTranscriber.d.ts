import { Model, type CallOptions, type Sound } from "../core/types.js";

/** In seconds; pitch as MIDI counts, velocity 1 to 127. */
export interface MusicNote { start: number; end: number; pitch: number; velocity: number }
export interface NoteRules { onset: number; frame: number; shortest: number; tolerance: number }

export class MusicTranscriber extends Model {
    readonly rate: number;
    readonly rules: NoteRules;
    transcribe(sound: Sound, options?: CallOptions & { rules?: Partial<NoteRules> }): Promise<MusicNote[]>;
}
