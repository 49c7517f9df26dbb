/// Where a long sound is cut: in pauses. Looser than the detector's own rules: a lost word weighs more than a kept pause.
enum WhisperCuts {
    static let rules = SpeechRules(
        unchecked: 0.5, shortest: 0.1, pause: 0.5, padding: 0.25, longest: 28)
    /// Seconds: of a window at most, and of a pause in one at most.
    private static let window = 29.5, pause = 2.0

    /// The windows to transcribe: as many spans together as fit, unless a long pause parts them.
    static func packed(_ spans: [(start: Double, end: Double)]) -> [(start: Double, end: Double)] {
        var windows: [(start: Double, end: Double)] = []
        for span in spans {
            if let last = windows.last, span.end - last.start <= window && span.start - last.end <= pause {
                windows[windows.count - 1].end = span.end
            } else {
                windows.append(span)
            }
        }
        return windows
    }
}
