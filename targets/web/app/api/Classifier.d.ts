import { Model, type CallOptions, type Picture, type Ranked } from "../core/types.js";

export class Classifier extends Model {
    classify(picture: Picture, options?: CallOptions & { top?: number }): Promise<Ranked[]>;
}
