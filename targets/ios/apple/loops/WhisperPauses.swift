import Foundation

/// Where a sound is quiet, by its energy in frames of 10 ms.
struct WhisperPauses {
    private static let frame = 160
    /// How far above the quiet speech is, as a share of the range in dB.
    private static let above = 0.25
    /// Seconds: what is shorter is a closure in a word.
    private static let shortest = 0.08

    /// Begin and end in seconds of each stretch between louder ones.
    private(set) var pauses: [(begin: Double, end: Double)] = []
    /// Seconds at which the first loud frame begins and the last one ends; nil: there is none.
    private(set) var loud: (first: Double, last: Double)?

    init(_ samples: [Float]) {
        let level = Self.level(samples)
        guard !level.isEmpty else { return }
        let sorted = level.sorted()
        let quiet = Self.percentile(sorted, 0.10), top = Self.percentile(sorted, 0.95)
        func seconds(_ frame: Int) -> Double { Double(frame * Self.frame) / Double(WhisperTranscriber.rate) }
        var before = -1
        for i in level.indices where level[i] > quiet + Self.above * (top - quiet) {
            if before >= 0 && before + 1 < i && seconds(i) - seconds(before + 1) >= Self.shortest {
                pauses.append((seconds(before + 1), seconds(i)))
            }
            loud = (loud?.first ?? seconds(i), seconds(i) + seconds(1))
            before = i
        }
    }

    /// The longest pause that begins before `late` and ends after `early`; of equal ones the last.
    func longest(early: Double, late: Double) -> (begin: Double, end: Double)? {
        pauses.filter { $0.begin < late && $0.end > early }
            .max { ($0.end - $0.begin, $0.begin) < ($1.end - $1.begin, $1.begin) }
    }

    private static func level(_ samples: [Float]) -> [Double] {
        (0..<samples.count / frame).map { i in
            let sum = samples[i * frame..<(i + 1) * frame].reduce(0.0) { $0 + Double($1) * Double($1) }
            return 10 * log10(sum / Double(frame) + 1e-10)
        }
    }

    /// Between the two nearest values, as numpy's.
    private static func percentile(_ sorted: [Double], _ share: Double) -> Double {
        let at = share * Double(sorted.count - 1)
        let below = Int(at), above = min(below + 1, sorted.count - 1)
        let part = at - Double(below), step = sorted[above] - sorted[below]
        return part >= 0.5 ? sorted[above] - step * (1 - part) : sorted[below] + step * part
    }
}
