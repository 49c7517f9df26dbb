import { Model, type CallOptions, type Picture } from "../core/types.js";

/** corners: x, y in pixels, from where the text begins. */
export interface TextLine { text: string; score: number; corners: [number, number][] }

export class TextReader extends Model {
    read(picture: Picture, options?: CallOptions): Promise<TextLine[]>;
}
