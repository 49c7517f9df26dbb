import { Model, type CallOptions, type Picture } from "../core/types.js";

/** points: x, y, x, y .. in pixels, by the detector's names. */
export interface KeypointObject { label: string; score: number; points: number[] }

export class KeypointDetector extends Model {
    readonly names: string[];
    /** Pairs of points between which a line is drawn. */
    readonly links: [number, number][];
    detect(picture: Picture, options?: CallOptions): Promise<KeypointObject[]>;
}
