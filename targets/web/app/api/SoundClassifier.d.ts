import { Model, type CallOptions, type Ranked, type Sound } from "../core/types.js";

export class SoundClassifier extends Model {
    readonly rate: number;
    classify(sound: Sound, options?: CallOptions & { top?: number }): Promise<Ranked[]>;
}
