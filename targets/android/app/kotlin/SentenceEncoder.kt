package edgekit.phone

import android.content.Context
import edgekit.phone.loops.SentenceVectors

/** Sentences to vectors: similar sentences have similar directions. One call runs at a time; others wait. */
public class SentenceEncoder private constructor(private val model: Model<SentenceVectors>) : AutoCloseable by model {
    private val loop = model.loop

    /**
     * The vector of a text, of length 1; the end of a long first is left out.
     *
     * @throws IllegalArgumentException the text is empty.
     * @throws ModelException the runtime failed.
     */
    public suspend fun embed(text: String): FloatArray = model.use { loop.embed(text) }

    /** The cosine of two vectors of this model: 1 for the same direction. */
    public fun similarity(first: FloatArray, second: FloatArray): Double {
        require(first.size == second.size) { "vectors of ${first.size} and ${second.size} numbers are of two models" }
        return SentenceVectors.similarity(first, second)
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): SentenceEncoder =
            SentenceEncoder(Model.open(context, options, ::SentenceVectors))
    }
}
