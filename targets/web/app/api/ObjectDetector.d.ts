import { Model, type CallOptions, type Picture } from "../core/types.js";

/** A thing in a picture: left, top, right, bottom and points (x, y, x, y ..) in pixels. */
export interface DetectedObject { label: string; score: number; sides: number[]; points: number[] }

export class ObjectDetector extends Model {
    /** The least score that counts, as the bundle has it. */
    readonly threshold: number;
    detect(picture: Picture, options?: CallOptions & { threshold?: number }): Promise<DetectedObject[]>;
}
