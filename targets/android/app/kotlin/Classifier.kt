package edgekit.phone

import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.ImageClassifier

/** Pictures to labels. One call runs at a time; others wait. */
public class Classifier private constructor(private val model: Model<ImageClassifier>) : AutoCloseable by model {
    private val loop = model.loop

    /**
     * The most probable labels first.
     *
     * @param picture upright (cameras note a turn in EXIF, which Android's decoders do not apply); transparency is dropped.
     * @param top how many to tell.
     * @throws ModelException the runtime failed.
     */
    public suspend fun classify(picture: Bitmap, top: Int = 5): List<Classification> =
        model.use { ranked(Bitmaps.rgb(picture), picture.height, picture.width, top) }

    /**
     * The same of pixels [height, width, 3], red first, a byte each.
     *
     * @throws IllegalArgumentException there are more or fewer pixels.
     */
    public suspend fun classify(rgb: ByteArray, height: Int, width: Int, top: Int = 5): List<Classification> =
        model.use { ranked(rgb, height, width, top) }

    private fun ranked(rgb: ByteArray, height: Int, width: Int, top: Int): List<Classification> =
        Classification.of(loop.classify(rgb, height, width, top))

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): Classifier =
            Classifier(Model.open(context, options, ::ImageClassifier))
    }
}
