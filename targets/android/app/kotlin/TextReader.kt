package edgekit.phone

import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.PictureText

/**
 * A line of text in a picture.
 *
 * @property score the mean probability of its letters.
 * @property corners x and y of each in pixels, from where the text begins.
 */
public data class ReadLine(val text: String, val score: Double, val corners: List<Pair<Double, Double>>)

/** Pictures to the text in them. One call runs at a time; others wait. */
public class TextReader private constructor(private val model: Model<PictureText>) : AutoCloseable by model {
    private val loop = model.loop

    /**
     * The lines of a picture from above, and of those that stand side by side from the left.
     *
     * @param picture upright (cameras note a turn in EXIF, which Android's decoders do not apply); transparency is dropped.
     * @throws ModelException the runtime failed.
     */
    public suspend fun read(picture: Bitmap): List<ReadLine> =
        read(Bitmaps.rgb(picture), picture.height, picture.width)

    /**
     * The same of pixels [height, width, 3], red first, a byte each.
     *
     * @throws IllegalArgumentException there are more or fewer pixels.
     */
    public suspend fun read(rgb: ByteArray, height: Int, width: Int): List<ReadLine> = model.use { watch ->
        loop.read(rgb, height, width, watch).map { line ->
            ReadLine(line.text, line.score, line.corners.map { (x, y) -> x to y })
        }
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): TextReader =
            TextReader(Model.open(context, options, ::PictureText))
    }
}
