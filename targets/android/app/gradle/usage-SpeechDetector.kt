val detector = SpeechDetector.open(context)
detector.detect(samples).spans.forEach { println("speech from ${it.start} to ${it.end} s") } // mono, 16 kHz, in [-1, 1]
detector.close()
