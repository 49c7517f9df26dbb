package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Samples
import edgekit.phone.loops.SpeechActivity
import edgekit.phone.loops.SpeechRules
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** A stretch in which somebody speaks, in seconds from the start of the sound. */
public data class SpeechSpan(val start: Double, val end: Double)

/**
 * What was heard.
 *
 * @property spans in order, none overlapping.
 * @property probabilities of speech in each frame.
 * @property frame seconds of a frame.
 */
public data class SpeechHeard(val spans: List<SpeechSpan>, val probabilities: List<Double>, val frame: Double)

/**
 * When somebody speaks. One call runs at a time; others wait. Sound is mono at 16 kHz, floats in [-1, 1].
 *
 * The microphone and its permission (RECORD_AUDIO) are the app's.
 */
public class SpeechDetector private constructor(private val model: Model<SpeechActivity>) : AutoCloseable by model {
    private val loop = model.loop

    /** The rules by which spans follow from probabilities, as the bundle has them. */
    public val rules: SpeechRules get() = loop.rules()

    /**
     * Finds speech in a sound that is in memory.
     *
     * @throws IllegalArgumentException values that are not numbers.
     * @throws ModelException the runtime failed.
     */
    public suspend fun detect(samples: FloatArray, rules: SpeechRules = this.rules): SpeechHeard =
        detect(Samples.of(samples), rules)

    /** The same of a sound that is read as it is needed. */
    public suspend fun detect(
        sound: Samples,
        rules: SpeechRules = this.rules,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): SpeechHeard = model.use(onProgress) { watch ->
        val heard = loop.detect(sound, rules, watch)
        SpeechHeard(heard.spans.map { SpeechSpan(it[0], it[1]) }, heard.probabilities, loop.frame())
    }

    /** The probability of speech in every 32 ms of a sound that comes as a flow; begins anew for each collector. */
    public fun listen(sound: Flow<FloatArray>): Flow<Double> = flow {
        model.use { loop.reset() }
        sound.collect { chunk -> model.use { loop.push(chunk) }.forEach { emit(it) } }
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): SpeechDetector =
            SpeechDetector(Model.open(context, options, ::SpeechActivity))
    }
}
