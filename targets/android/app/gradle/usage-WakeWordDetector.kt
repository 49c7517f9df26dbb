val detector = WakeWordDetector.open(context)
detector.detect(microphone).collect { println("${it.word} at ${it.time} s") } // a flow of 16-bit samples at 16 kHz
detector.close()
