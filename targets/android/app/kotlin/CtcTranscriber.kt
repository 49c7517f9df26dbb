package edgekit.phone

import android.content.Context
import edgekit.phone.loops.CtcLetters
import edgekit.phone.loops.Samples

/** Speech to text, letter by letter, without times. One call runs at a time; others wait. */
public class CtcTranscriber private constructor(private val model: Model<CtcLetters>) : AutoCloseable by model {
    private val loop = model.loop

    /** Samples in a second of what it takes: mono, floats in [-1, 1]. */
    public val rate: Int get() = loop.rate

    /**
     * The text of a sound; of a long one window after window.
     *
     * @param onProgress seconds done, seconds in all; called before each window.
     * @throws IllegalArgumentException the sound is too short, or values are not numbers.
     * @throws ModelException the runtime failed.
     */
    public suspend fun transcribe(samples: FloatArray, onProgress: (Double, Double) -> Unit = { _, _ -> }): String =
        transcribe(Samples.of(samples), onProgress)

    /** The same of a sound that is read as it is needed. */
    public suspend fun transcribe(sound: Samples, onProgress: (Double, Double) -> Unit = { _, _ -> }): String =
        model.use(onProgress) { watch -> loop.transcribe(sound, watch) }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): CtcTranscriber =
            CtcTranscriber(Model.open(context, options, ::CtcLetters))
    }
}
