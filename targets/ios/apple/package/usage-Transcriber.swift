let transcriber = try await Transcriber()
let said = try await transcriber.transcribe(samples) // [Float], mono, 16 kHz, in [-1, 1]
print(said.text, said.language ?? "")
