package edgekit.phone

import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.PictureAreas

/**
 * A class for every pixel.
 *
 * @property classes row by row, a byte each, as they are counted in [labels].
 * @property height and [width] of the mask: the picture's, at most 2048 a side.
 * @property shares of the picture that each class has.
 */
public class PictureMask internal constructor(
    public val classes: ByteArray,
    public val height: Int,
    public val width: Int,
    public val labels: List<String>,
    public val shares: List<Double>,
)

/** Pictures to areas. One call runs at a time; others wait. */
public class PictureSegmenter private constructor(private val model: Model<PictureAreas>) : AutoCloseable by model {
    private val loop = model.loop

    /**
     * The mask of a picture.
     *
     * @param picture upright (cameras note a turn in EXIF, which Android's decoders do not apply); transparency is dropped.
     * @throws ModelException the runtime failed.
     */
    public suspend fun segment(picture: Bitmap): PictureMask =
        model.use { mask(Bitmaps.rgb(picture), picture.height, picture.width) }

    /**
     * The same of pixels [height, width, 3], red first, a byte each.
     *
     * @throws IllegalArgumentException there are more or fewer pixels.
     */
    public suspend fun segment(rgb: ByteArray, height: Int, width: Int): PictureMask =
        model.use { mask(rgb, height, width) }

    private fun mask(rgb: ByteArray, height: Int, width: Int): PictureMask {
        val made = loop.segment(rgb, height, width)
        return PictureMask(made.classes, made.height, made.width, made.labels.toList(), made.shares.toList())
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): PictureSegmenter =
            PictureSegmenter(Model.open(context, options, ::PictureAreas))
    }
}
