package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Samples
import edgekit.phone.loops.WhisperOptions
import edgekit.phone.loops.WhisperStream
import edgekit.phone.loops.WhisperTranscriber
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** A piece of a transcript, in seconds from the start of the sound. */
public data class Segment(val start: Double, val end: Double, val text: String)

/**
 * A word of a transcript, with the marks that belong to it. Times are seconds from the start of the sound.
 *
 * @property probability the mean over its tokens.
 */
public data class Word(val word: String, val start: Double, val end: Double, val probability: Double)

/**
 * What was said.
 *
 * @property language code of the language, set or detected; null for a model of a single language.
 * @property segments empty unless they were asked for or the sound is longer than 30 s.
 * @property words empty unless they were asked for.
 * @property skipped seconds in which nobody spoke; 0 where no speech was looked for.
 */
public data class Transcript(
    val text: String,
    val language: String?,
    val segments: List<Segment>,
    val words: List<Word>,
    val skipped: Double,
)

/**
 * What is new in a stream of speech.
 *
 * @property text words that are final since the last time; they never change.
 * @property words the same with their times, in seconds from the begin of the stream.
 * @property pending what may come next, as far as it is known; it may change.
 * @property notes what the listener should know: a device that is too slow, a chunk that was no sound.
 */
public data class Heard(val text: String, val words: List<Word>, val pending: String, val notes: List<String>)

/**
 * Speech to text. One call runs at a time; others wait. Cancelling the coroutine ends a call within one run of the network.
 *
 * Sound is mono at 16 kHz, floats in [-1, 1].
 */
public class Transcriber private constructor(private val model: Model<WhisperTranscriber>) : AutoCloseable by model {
    private val loop = model.loop

    /** Codes of the languages that it knows; empty for a model of a single language. */
    public val languages: List<String> get() = loop.languages()

    /**
     * Transcribes a sound that is in memory.
     *
     * @param language a code of [languages], or null: it is detected.
     * @param translate to English instead of transcribing.
     * @param timestamps give segments with times.
     * @param words give the times of words, at the cost of one more run of the decoder for each window.
     * @param vad transcribe only where somebody speaks; null: in sounds longer than 30 s.
     * @param onProgress called with (seconds done, seconds in all), on a background thread.
     * @throws IllegalArgumentException shorter than 0.1 s, values that are not numbers, an unknown language,
     *   words of a bundle that cannot tell their times, or speech alone of one without a detector.
     * @throws ModelException the runtime failed.
     */
    public suspend fun transcribe(
        samples: FloatArray,
        language: String? = null,
        translate: Boolean = false,
        timestamps: Boolean = false,
        words: Boolean = false,
        vad: Boolean? = null,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): Transcript = transcribe(Samples.of(samples), language, translate, timestamps, words, vad, onProgress)

    /** Transcribes a sound that is read as it is needed, 30 s at a time. */
    public suspend fun transcribe(
        sound: Samples,
        language: String? = null,
        translate: Boolean = false,
        timestamps: Boolean = false,
        words: Boolean = false,
        vad: Boolean? = null,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): Transcript = model.use(onProgress) { watch ->
        val options =
            WhisperOptions.DEFAULT.language(language).translate(translate).timestamps(timestamps).words(words).vad(vad)
        val made = loop.transcribe(sound, options, watch)
        Transcript(
            made.text,
            made.language,
            made.segments.map { Segment(it.start, it.end, it.text) },
            made.words.map { Word(it.word, it.start, it.end, it.probability) },
            made.skipped,
        )
    }

    /**
     * Transcribes while somebody speaks: gives what is new whenever words become final or what may come next changes. The
     * last element comes after the end of [sound] and has the words that became final by it. Begins anew for each collector;
     * cancelling one ends it within one run of the network, and the model can be used as before.
     *
     * A device that cannot follow reads longer pieces, says so in [Heard.notes] and leaves no sound out; [sound] waits
     * meanwhile. A microphone does not wait: put `.buffer(Channel.UNLIMITED)` behind its flow. In place of a chunk with
     * values that are not numbers silence is heard, so that times stay right, and a note says so.
     *
     * @param sound chunks of any size, mono at 16 kHz, floats in [-1, 1].
     * @param language a code of [languages], or null: it is detected.
     * @param translate to English instead of transcribing.
     * @param vad false: without the bundle's detector of speech; true: a bundle without one is refused.
     * @throws IllegalArgumentException to the collector: an unknown language, a bundle that cannot tell the times of words.
     * @throws ModelException to the collector: the runtime failed.
     */
    public fun stream(
        sound: Flow<FloatArray>,
        language: String? = null,
        translate: Boolean = false,
        vad: Boolean? = null,
    ): Flow<Heard> = flow {
        val options = WhisperOptions.DEFAULT.language(language).translate(translate).vad(vad)
        model.use { loop.stream(options) }.use { stream ->
            var pending = ""
            sound.collect { chunk ->
                val whole = chunk.all { it.isFinite() }
                val told = model.use { watch -> stream.feed(if (whole) chunk else FloatArray(chunk.size), watch) }
                val heard = heard(told, if (whole) emptyList() else listOf(NO_SOUND))
                if (heard.words.isNotEmpty() || heard.pending != pending || heard.notes.isNotEmpty()) emit(heard)
                pending = heard.pending
            }
            model.use { watch -> stream.end(watch) }
            emit(heard(stream.last(), emptyList()))
        }
    }

    private fun heard(told: WhisperStream.Heard, notes: List<String>): Heard {
        val words = told.words.map { Word(it.word, it.start, it.end, it.probability) }
        return Heard(told.text, words, told.pending, told.notes + notes)
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        private const val NO_SOUND = "a chunk holds values that are not numbers: silence in its place"

        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): Transcriber =
            Transcriber(Model.open(context, options, ::WhisperTranscriber))
    }
}
