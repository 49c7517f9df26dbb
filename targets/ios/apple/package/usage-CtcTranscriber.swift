let transcriber = try await CtcTranscriber()
print(try await transcriber.transcribe(samples)) // [Float], mono, transcriber.rate samples a second
