package edgekit.phone

import android.content.Context
import edgekit.phone.loops.Phonemizer
import edgekit.phone.loops.VoiceManner
import edgekit.phone.loops.VoiceReader
import edgekit.phone.loops.VoiceSound

/**
 * A voice that reads phonemes aloud. One call runs at a time; others wait.
 *
 * Words become phonemes by an app's own [Phonemizer]. espeak-ng, which made those that the voice has learnt, is GPL-3.0
 * and not in here: an app links it and takes its licence's terms upon itself, or ships the phonemes of what it says.
 */
public class SpeechSynthesizer private constructor(private val model: Model<VoiceReader>) : AutoCloseable by model {
    private val loop = model.loop

    /** Samples in a second of what it says. */
    public val sampleRate: Int get() = loop.rate

    /** The voice of espeak-ng whose phonemes it knows, such as "en-us". */
    public val voice: String get() = loop.voice

    /** The manner of reading that the bundle has. */
    public val manner: VoiceManner get() = loop.manner()

    /**
     * Reads phonemes in the International Phonetic Alphabet, with the marks of their sentences: "həlˈoʊ wˈɜːld!".
     *
     * @param onProgress called with (sentences done, sentences in all), on a background thread.
     * @throws IllegalArgumentException the voice knows none of a sentence's phonemes.
     * @throws ModelException the runtime failed.
     */
    public suspend fun speak(
        phonemes: String,
        manner: VoiceManner = this.manner,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): VoiceSound = model.use(onProgress) { watch -> loop.speak(phonemes, manner, watch) }

    /**
     * Reads a text, whose words a phonemizer turns into phonemes, a clause at a time. What stands in double brackets is
     * taken as phonemes: "Say [[ pˈeɪpɚ ]] twice."
     *
     * @throws IllegalArgumentException there is nothing to read in it.
     * @throws ModelException the runtime failed.
     */
    public suspend fun read(
        text: String,
        phonemizer: Phonemizer,
        manner: VoiceManner = this.manner,
        onProgress: (Double, Double) -> Unit = { _, _ -> },
    ): VoiceSound = model.use(onProgress) { watch -> loop.read(text, phonemizer, manner, watch) }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): SpeechSynthesizer =
            SpeechSynthesizer(Model.open(context, options, ::VoiceReader))
    }
}
