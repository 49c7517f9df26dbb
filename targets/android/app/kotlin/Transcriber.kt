package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Samples
import edgekit.phone.loops.WhisperOptions
import edgekit.phone.loops.WhisperTranscriber

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

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): Transcriber =
            Transcriber(Model.open(context, options, ::WhisperTranscriber))
    }
}
