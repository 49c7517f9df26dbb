import { Model } from "../core/client.js";

/**
 * Tensors in, tensors out, by their names.
 * @example
 * const model = await TensorModel.load();
 * console.log(model.inputs, model.outputs);
 * const { y } = await model.run({ x: { dtype: "float32", shape: [1, 3], data: new Float32Array(3) } });
 */
export class TensorModel extends Model {
    static properties = ["inputs", "outputs"];

    async run(tensors, options) {
        return this.call("run", [tensors], options);
    }
}
