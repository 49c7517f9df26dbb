import Foundation

/// From probabilities of speech, one for each frame, to spans of speech (after Silero VAD's get_speech_timestamps).
struct SpeechSpans {
    private static let rate = 16_000

    private let rules: SpeechRules
    private let longest: Double
    private var spans: [(start: Int, end: Int)] = []
    /// Earlier pauses of the span that is being heard.
    private var pauses: [(start: Int, length: Int)] = []
    /// Where the span began, and its present pause.
    private var start: Int?, quiet: Int?

    private init(_ rules: SpeechRules, hop: Int) {
        self.rules = rules
        longest = Self.samples(rules.longest) - Double(hop) - 2 * Self.samples(rules.padding)
    }

    private static func samples(_ seconds: Double) -> Double { Double(rate) * seconds }

    /// Start and end of each span in seconds, in order, none overlapping.
    static func spans(
        _ probabilities: [Double], _ rules: SpeechRules, hop: Int, size: Int
    ) -> [(start: Double, end: Double)] {
        var speech = SpeechSpans(rules, hop: hop)
        for (i, probability) in probabilities.enumerated() {
            speech.hear(probability, at: i * hop)
        }
        if let start = speech.start, Double(size - start) > samples(rules.shortest) {
            speech.spans.append((start, size))
        }
        speech.pad(size)
        return speech.spans.map { (Double($0.start) / Double(rate), Double($0.end) / Double(rate)) }
    }

    private mutating func begin(_ at: Int?) {
        (start, quiet, pauses) = (at, nil, [])
    }

    private mutating func hear(_ probability: Double, at: Int) {
        if probability >= rules.threshold {
            if let quiet, Double(at - quiet) > Self.samples(rules.cut) {
                pauses.append((quiet, at - quiet))
            }
            quiet = nil
            if start == nil {
                begin(at)
                return
            }
        }
        if let start, Double(at - start) > longest {
            end(start, at: at)
        }
        guard let start, probability < rules.release else { return }
        let began = quiet ?? at
        quiet = began
        if Double(at - began) >= Self.samples(rules.pause) {
            if Double(began - start) > Self.samples(rules.shortest) {
                spans.append((start, began))
            }
            begin(nil)
        }
    }

    /// Ends a span that is too long: in its longest pause, behind which the next one begins, else at once.
    private mutating func end(_ start: Int, at: Int) {
        let most = pauses.reduce(nil as (start: Int, length: Int)?) { most, pause in
            pause.length > most?.length ?? -1 ? pause : most
        }
        spans.append((start, most?.start ?? at))
        begin(most.map { $0.start + $0.length })
    }

    /// Widens spans; two that would meet share the pause between them.
    private mutating func pad(_ size: Int) {
        let padding = Self.samples(rules.padding), whole = Int(padding)
        for i in spans.indices {
            if i == 0 {
                spans[0].start = max(0, spans[0].start - whole)
            }
            guard i + 1 < spans.count else {
                spans[i].end = min(size, spans[i].end + whole)
                continue
            }
            let pause = spans[i + 1].start - spans[i].end
            let half = Double(pause) < 2 * padding ? pause / 2 : whole
            spans[i].end = min(size, spans[i].end + half)
            spans[i + 1].start = max(0, spans[i + 1].start - half)
        }
    }
}
