package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Samples
import edgekit.phone.loops.SpeakerEmbedder

/**
 * Whether one person speaks in two clips.
 *
 * @property similarity cosine of the two embeddings, -1..1.
 * @property threshold from which on they count as the same speaker's.
 */
public data class Verification(val similarity: Double, val threshold: Double) {
    public val same: Boolean get() = similarity >= threshold
}

/**
 * Voices to embeddings, and embeddings to a decision. One call runs at a time; others wait.
 *
 * Sound is mono at 16 kHz, floats in [-1, 1]. An embedding is personal data: it is not kept anywhere here.
 */
public class SpeakerVerifier private constructor(private val model: Model<SpeakerEmbedder>) : AutoCloseable by model {
    private val loop = model.loop

    /** A cosine of at least this means the same speaker. */
    public val threshold: Double get() = loop.threshold

    /**
     * The embedding of the speaker in a clip, of length 1.
     *
     * @throws IllegalArgumentException shorter than a quarter of a second, silent, or values that are not numbers.
     * @throws ModelException the runtime failed.
     */
    public suspend fun embed(samples: FloatArray, onProgress: (Double, Double) -> Unit = { _, _ -> }): FloatArray =
        embed(Samples.of(samples), onProgress)

    /** The same of a clip that is read as it is needed. */
    public suspend fun embed(clip: Samples, onProgress: (Double, Double) -> Unit = { _, _ -> }): FloatArray =
        model.use(onProgress) { watch -> loop.embed(clip, watch) }

    /** Compares two embeddings of this model. */
    public fun compare(one: FloatArray, other: FloatArray, threshold: Double = this.threshold): Verification {
        require(one.size == other.size) { "embeddings of ${one.size} and ${other.size} numbers are of two models" }
        return Verification(SpeakerEmbedder.similarity(one, other), threshold)
    }

    /** Compares two clips. */
    public suspend fun verify(one: FloatArray, other: FloatArray): Verification = compare(embed(one), embed(other))

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): SpeakerVerifier =
            SpeakerVerifier(Model.open(context, options, ::SpeakerEmbedder))
    }
}
