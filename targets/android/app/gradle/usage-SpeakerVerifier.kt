val verifier = SpeakerVerifier.open(context)
val verification = verifier.verify(clip, otherClip) // mono, 16 kHz, floats in [-1, 1]
println("${verification.same}: ${verification.similarity}")
verifier.close()
