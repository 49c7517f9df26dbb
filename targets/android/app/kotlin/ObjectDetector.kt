package edgekit.phone

import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.BoxDetector

/** A place in a picture, in pixels from its left upper corner. */
public data class PicturePoint(val x: Double, val y: Double)

/**
 * A thing in a picture.
 *
 * @property score 0..1.
 * @property left and [top], [right], [bottom]: its box in pixels, cut at the picture's edges.
 * @property points that the network tells of it, also outside of the picture; mostly none.
 */
public data class DetectedObject(
    val label: String,
    val score: Double,
    val left: Double,
    val top: Double,
    val right: Double,
    val bottom: Double,
    val points: List<PicturePoint>,
)

/** Pictures to labelled boxes. One call runs at a time; others wait. */
public class ObjectDetector private constructor(private val model: Model<BoxDetector>) : AutoCloseable by model {
    private val loop = model.loop

    /** The least score that counts, as the bundle has it. */
    public val threshold: Double get() = loop.threshold

    /**
     * What is in a picture, best first.
     *
     * @param picture upright (cameras note a turn in EXIF, which Android's decoders do not apply); transparency is dropped.
     * @throws ModelException the runtime failed.
     */
    public suspend fun detect(picture: Bitmap, threshold: Double = this.threshold): List<DetectedObject> =
        model.use { things(Bitmaps.rgb(picture), picture.height, picture.width, threshold) }

    /**
     * The same of pixels [height, width, 3], red first, a byte each.
     *
     * @throws IllegalArgumentException there are more or fewer pixels.
     */
    public suspend fun detect(
        rgb: ByteArray,
        height: Int,
        width: Int,
        threshold: Double = this.threshold,
    ): List<DetectedObject> = model.use { things(rgb, height, width, threshold) }

    private fun things(rgb: ByteArray, height: Int, width: Int, threshold: Double): List<DetectedObject> =
        loop.detect(rgb, height, width, threshold).map {
            val (left, top, right, bottom) = it.sides
            val points = it.points.toList().chunked(2) { (x, y) -> PicturePoint(x, y) }
            DetectedObject(it.label, it.score, left, top, right, bottom, points)
        }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): ObjectDetector =
            ObjectDetector(Model.open(context, options, ::BoxDetector))
    }
}
