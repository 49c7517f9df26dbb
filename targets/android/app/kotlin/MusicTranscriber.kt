package edgekit.phone

import android.content.Context
import edgekit.phone.loops.NoteRules
import edgekit.phone.loops.PlayedNotes
import edgekit.phone.loops.Samples

/**
 * A note, in seconds from the start of the sound.
 *
 * @property pitch as MIDI counts: 60 is the middle C.
 * @property velocity 1..127.
 */
public data class MusicNote(val start: Double, val end: Double, val pitch: Int, val velocity: Int)

/** Sounds to the notes that are played, by any instruments. One call runs at a time; others wait. */
public class MusicTranscriber private constructor(private val model: Model<PlayedNotes>) : AutoCloseable by model {
    private val loop = model.loop

    /** Samples in a second of the mono sound that it takes, floats in [-1, 1]. */
    public val sampleRate: Int get() = loop.rate

    /** The rules by which notes follow from activations, as the bundle has them. */
    public val rules: NoteRules get() = loop.rules()

    /**
     * The notes of a sound in memory, in order of their starts.
     *
     * @throws IllegalArgumentException longer than 20 minutes, or values that are not numbers.
     * @throws ModelException the runtime failed.
     */
    public suspend fun transcribe(samples: FloatArray, rules: NoteRules = this.rules): List<MusicNote> =
        transcribe(Samples.of(samples), rules)

    /** The same of a sound that is read as it is needed. */
    public suspend fun transcribe(
        sound: Samples,
        rules: NoteRules = this.rules,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): List<MusicNote> = model.use(onProgress) { watch ->
        loop.transcribe(sound, rules, watch).map { MusicNote(it.start, it.end, it.pitch, it.velocity) }
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): MusicTranscriber =
            MusicTranscriber(Model.open(context, options, ::PlayedNotes))
    }
}
