val transcriber = MusicTranscriber.open(context)
transcriber.transcribe(samples).forEach { println("${it.start} s: ${it.pitch}") } // mono, transcriber.sampleRate
transcriber.close()
