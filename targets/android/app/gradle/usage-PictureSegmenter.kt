val segmenter = PictureSegmenter.open(context)
val mask = segmenter.segment(bitmap)
mask.labels.zip(mask.shares).forEach { (label, share) -> println("$label: $share of the picture") }
segmenter.close()
