package edgekit.phone

import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.PictureKeypoints

/** A point of a body or a hand, in pixels of the picture, also outside of it. */
public data class Keypoint(val name: String, val x: Double, val y: Double)

/**
 * A body or a hand.
 *
 * @property score the probability that there is one, 0..1.
 */
public data class KeypointObject(val label: String, val score: Double, val points: List<Keypoint>)

/** Pictures to the points of bodies or hands. One call runs at a time; others wait. */
public class KeypointDetector private constructor(private val model: Model<PictureKeypoints>) : AutoCloseable by model {
    private val loop = model.loop

    /** Pairs of points, by their places in the list, between which a line is drawn. */
    public val links: List<Pair<Int, Int>> get() = loop.links.map { (first, second) -> first to second }

    /**
     * The bodies or hands in a picture, those of which the detector is surest first.
     *
     * @param picture upright (cameras note a turn in EXIF, which Android's decoders do not apply); transparency is dropped.
     * @throws ModelException the runtime failed.
     */
    public suspend fun detect(picture: Bitmap): List<KeypointObject> =
        detect(Bitmaps.rgb(picture), picture.height, picture.width)

    /**
     * The same of pixels [height, width, 3], red first, a byte each.
     *
     * @throws IllegalArgumentException there are more or fewer pixels.
     */
    public suspend fun detect(rgb: ByteArray, height: Int, width: Int): List<KeypointObject> = model.use { watch ->
        loop.find(rgb, height, width, watch).map { thing ->
            val places = thing.points.toList().chunked(2)
            val points = loop.names.zip(places) { name, (x, y) -> Keypoint(name, x, y) }
            KeypointObject(thing.label, thing.score, points)
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
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): KeypointDetector =
            KeypointDetector(Model.open(context, options, ::PictureKeypoints))
    }
}
