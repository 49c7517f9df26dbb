import Foundation

/// From probabilities of speech, one for each frame, to spans of speech (after Silero VAD's get_speech_timestamps), and
/// from these to windows. Looser than the detector's own rules: a word that is lost weighs more than a pause that is kept.
struct SpeechSpans {
    private static let rate = 16_000
    /// Speech begins at the first probability, and ends below the second.
    private static let threshold = 0.5, release = threshold - 0.15
    /// Samples: the shortest speech, the pause that ends a span, what is added at both sides, a pause to cut in.
    private static let shortest = 1_600, pause = 8_000, padding = 4_000, cut = 1_568
    /// Seconds: the longest span; of a window at most, and of a pause in one at most.
    private static let longest = 28, window = 29.5, pauseWithin = 2.0

    private let longest: Int
    private var spans: [(start: Int, end: Int)] = []
    /// Earlier pauses of the span that is being heard.
    private var pauses: [(start: Int, length: Int)] = []
    /// Where the span began, and its present pause.
    private var start: Int?, quiet: Int?

    private init(hop: Int) {
        longest = Self.rate * Self.longest - hop - 2 * Self.padding
    }

    /// Start and end of each span in seconds, in order, none overlapping.
    static func spans(_ probabilities: [Double], hop: Int, size: Int) -> [(start: Double, end: Double)] {
        var speech = SpeechSpans(hop: hop)
        for (i, probability) in probabilities.enumerated() {
            speech.hear(probability, at: i * hop)
        }
        if let start = speech.start, size - start > shortest {
            speech.spans.append((start, size))
        }
        speech.pad(size)
        return speech.spans.map { (Double($0.start) / Double(rate), Double($0.end) / Double(rate)) }
    }

    /// The windows to transcribe: as many spans together as fit, unless a long pause parts them.
    static func packed(_ spans: [(start: Double, end: Double)]) -> [(start: Double, end: Double)] {
        var windows: [(start: Double, end: Double)] = []
        for span in spans {
            if let last = windows.last, span.end - last.start <= window && span.start - last.end <= pauseWithin {
                windows[windows.count - 1].end = span.end
            } else {
                windows.append(span)
            }
        }
        return windows
    }

    private mutating func begin(_ at: Int?) {
        (start, quiet, pauses) = (at, nil, [])
    }

    private mutating func hear(_ probability: Double, at: Int) {
        if probability >= Self.threshold {
            if let quiet, at - quiet > Self.cut {
                pauses.append((quiet, at - quiet))
            }
            quiet = nil
            if start == nil {
                begin(at)
                return
            }
        }
        if let start, at - start > longest {
            end(start, at: at)
        }
        guard let start, probability < Self.release else { return }
        let began = quiet ?? at
        quiet = began
        if at - began >= Self.pause {
            if began - start > Self.shortest {
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
        for i in spans.indices {
            if i == 0 {
                spans[0].start = max(0, spans[0].start - Self.padding)
            }
            guard i + 1 < spans.count else {
                spans[i].end = min(size, spans[i].end + Self.padding)
                continue
            }
            let pause = spans[i + 1].start - spans[i].end
            let half = pause < 2 * Self.padding ? pause / 2 : Self.padding
            spans[i].end = min(size, spans[i].end + half)
            spans[i + 1].start = max(0, spans[i + 1].start - half)
        }
    }
}
