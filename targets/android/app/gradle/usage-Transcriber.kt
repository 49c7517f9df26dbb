val transcriber = Transcriber.open(context)
val transcript = transcriber.transcribe(samples) // mono, 16 kHz, floats in [-1, 1]
println("${transcript.language}: ${transcript.text}")
transcriber.close()
