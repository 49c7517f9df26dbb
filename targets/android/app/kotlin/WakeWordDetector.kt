package edgekit.phone

import android.content.Context
import edgekit.phone.loops.KeywordDetector
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * A word that was heard.
 *
 * @property time seconds since the start of the sound.
 * @property score 0..1.
 */
public data class WakeWord(val word: String, val time: Double, val score: Double)

/**
 * Words in a stream of sound: mono, 16 kHz, 16 bits, in pieces of any size. One stream at a time.
 *
 * The microphone and its permission (RECORD_AUDIO) are the app's.
 */
public class WakeWordDetector private constructor(private val model: Model<KeywordDetector>) : AutoCloseable by model {
    private val loop = model.loop

    /** The words that it can hear. */
    public val words: List<String> get() = loop.words()

    /** Samples in a second. */
    public val sampleRate: Int get() = loop.rate()

    /** Forgets all sound so far; times count from here. */
    public suspend fun reset(): Unit = model.use { loop.reset() }

    /**
     * Takes the next [count] samples of [chunk] and gives the words that they complete, mostly none.
     *
     * @throws ModelException the runtime failed; [reset] before the next sound.
     */
    public suspend fun feed(chunk: ShortArray, count: Int = chunk.size): List<WakeWord> = model.use { watch ->
        loop.feed(chunk, count, watch).map { WakeWord(it.word, it.time, it.score) }
    }

    /** The words in a sound that comes as a flow; begins anew for each collector. */
    public fun detect(sound: Flow<ShortArray>): Flow<WakeWord> = flow {
        reset()
        sound.collect { chunk -> feed(chunk).forEach { emit(it) } }
    }

    /** Compares this phone with the fp32 reference on the golden input; forgets all sound so far. */
    public suspend fun selfTest(): SelfTestReport {
        val report = model.selfTest()
        reset()
        return report
    }

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): WakeWordDetector =
            WakeWordDetector(Model.open(context, options, ::KeywordDetector))
    }
}
