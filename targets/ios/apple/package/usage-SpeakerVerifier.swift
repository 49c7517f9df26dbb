let verifier = try await SpeakerVerifier()
let one = try await verifier.embed(clip), other = try await verifier.embed(another) // [Float], mono, 16 kHz
print(verifier.similarity(one, other) >= verifier.threshold ? "the same speaker" : "different speakers")
