let transcriber = try await Transcriber()
let said = try await transcriber.transcribe(samples) // [Float], mono, 16 kHz, in [-1, 1]
print(said.text, said.language ?? "")

// Text while somebody speaks: `chunks` is an AsyncSequence of [Float], such as an AsyncStream that a microphone fills.
for try await heard in transcriber.stream(chunks) {
    print(heard.text, heard.pending) // final since the last element, and what may still change
}
