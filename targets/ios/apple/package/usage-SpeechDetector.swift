let detector = try await SpeechDetector()
for span in try await detector.detect(samples).spans { // [Float], mono, 16 kHz, in [-1, 1]
    print("speech from \(span.start) to \(span.end) s")
}
