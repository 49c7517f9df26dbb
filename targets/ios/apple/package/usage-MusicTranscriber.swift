let transcriber = try await MusicTranscriber()
for note in try await transcriber.transcribe(samples) { // [Float], mono, transcriber.rate samples a second
    print(note.start, note.pitch)
}
