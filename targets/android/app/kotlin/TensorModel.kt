package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Description
import edgekit.phone.loops.Tensor
import edgekit.phone.loops.TensorChain

/**
 * An input or output of a model.
 *
 * @property type of its values: such as float32, int64, uint8, bool.
 * @property shape sizes of its axes; null where any size will do.
 * @property axes names of those; axes of one name have one size in a call.
 */
public class TensorSpec internal constructor(
    public val name: String,
    public val type: Tensor.Type,
    public val shape: List<Int?>,
    public val axes: List<String?>,
)

/** Tensors in, tensors out, by their names. One call runs at a time; others wait. */
public class TensorModel private constructor(private val model: Model<TensorChain>) : AutoCloseable by model {
    private val loop = model.loop

    /** What [run] takes. */
    public val inputs: List<TensorSpec> = loop.inputs.map(::spec)

    /** What it gives. */
    public val outputs: List<TensorSpec> = loop.outputs.map(::spec)

    /**
     * The outputs by name.
     *
     * @param tensors every one of [inputs]: `Tensor.of(values, 1, 3)` of floats, ints, longs or booleans,
     *     `Tensor.unsigned(bytes, 1, 3)` of bytes.
     * @throws IllegalArgumentException a tensor is missing, not asked for, or of another type or shape.
     * @throws ModelException the runtime failed.
     */
    public suspend fun run(tensors: Map<String, Tensor>): Map<String, Tensor> =
        model.use { watch -> loop.run(tensors, watch) }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    private fun spec(of: Description.Spec): TensorSpec {
        val shape = of.shape.map { size -> size.takeIf { it >= 0 } }
        return TensorSpec(of.name, Tensor.Type.valueOf(of.dtype.uppercase()), shape, of.axes.toList())
    }

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): TensorModel =
            TensorModel(Model.open(context, options, ::TensorChain))
    }
}
