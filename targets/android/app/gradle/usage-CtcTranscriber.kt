val transcriber = CtcTranscriber.open(context)
println(transcriber.transcribe(samples)) // a FloatArray, mono, transcriber.rate samples a second
transcriber.close()
