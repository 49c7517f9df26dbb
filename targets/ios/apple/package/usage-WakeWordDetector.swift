let detector = try await WakeWordDetector()
for event in try await detector.feed(chunk) { // [Int16] or [Float], mono, 16 kHz, any number of samples
    print(event.word, event.time)
}
