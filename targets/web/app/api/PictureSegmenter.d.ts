import { Model, type CallOptions, type Picture } from "../core/types.js";

/** Classes row by row, by their places in labels; the share of the picture that each has. */
export interface PictureMask { classes: Uint8Array; height: number; width: number; labels: string[]; shares: number[] }

export class PictureSegmenter extends Model {
    segment(picture: Picture, options?: CallOptions): Promise<PictureMask>;
}
