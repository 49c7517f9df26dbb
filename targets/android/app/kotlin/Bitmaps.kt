package edgekit.phone

import android.graphics.Bitmap

/** Android's pictures as the loops take them. */
internal object Bitmaps {
    /** Pixels [height, width, 3], red first; row by row, so that a large picture is not in the heap twice. */
    fun rgb(picture: Bitmap): ByteArray {
        // The pixels of a hardware bitmap can only be read from a copy.
        val readable = if (picture.config == Bitmap.Config.HARDWARE) {
            requireNotNull(picture.copy(Bitmap.Config.ARGB_8888, false)) { "the bitmap cannot be read" }
        } else {
            picture
        }
        val width = readable.width
        val row = IntArray(width)
        val rgb = ByteArray(readable.height * width * 3)
        for (y in 0 until readable.height) {
            readable.getPixels(row, 0, width, 0, y, width, 1)
            for (x in 0 until width) {
                val to = (y * width + x) * 3
                rgb[to] = (row[x] shr 16).toByte()
                rgb[to + 1] = (row[x] shr 8).toByte()
                rgb[to + 2] = row[x].toByte()
            }
        }
        return rgb
    }
}
