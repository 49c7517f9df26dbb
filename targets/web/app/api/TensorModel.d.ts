import { Model, type CallOptions, type Tensor, type TensorSpec } from "../core/types.js";

export class TensorModel extends Model {
    readonly inputs: TensorSpec[];
    readonly outputs: TensorSpec[];
    run(tensors: Record<string, Tensor>, options?: CallOptions): Promise<Record<string, Tensor>>;
}
