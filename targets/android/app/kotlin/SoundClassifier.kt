package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Samples
import edgekit.phone.loops.SoundLabels

/** Sounds to labels, of a long one its beginning. One call runs at a time; others wait. */
public class SoundClassifier private constructor(private val model: Model<SoundLabels>) : AutoCloseable by model {
    private val loop = model.loop

    /** Samples in a second of what it takes: mono, floats in [-1, 1]. */
    public val rate: Int get() = loop.rate

    /**
     * The most probable labels first.
     *
     * @param top how many to tell.
     * @throws IllegalArgumentException the sound is too short, or values are not numbers.
     * @throws ModelException the runtime failed.
     */
    public suspend fun classify(samples: FloatArray, top: Int = 5): List<Classification> =
        model.use { Classification.of(loop.classify(Samples.of(samples), top)) }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): SoundClassifier =
            SoundClassifier(Model.open(context, options, ::SoundLabels))
    }
}
