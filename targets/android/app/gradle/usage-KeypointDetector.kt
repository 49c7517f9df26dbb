val detector = KeypointDetector.open(context)
for (thing in detector.detect(bitmap)) thing.points.forEach { println("${thing.label}, ${it.name}: ${it.x}, ${it.y}") }
detector.close()
