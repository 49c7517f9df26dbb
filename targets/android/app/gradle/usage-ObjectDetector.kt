val detector = ObjectDetector.open(context)
detector.detect(bitmap).forEach { println("${it.label} ${it.score}: ${it.left}, ${it.top} to ${it.right}, ${it.bottom}") }
detector.close()
