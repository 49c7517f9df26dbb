import Foundation

/// A word that was heard.
public struct KeywordEvent: Sendable, Equatable {
    public let word: String
    /// Seconds from the start of the sound, and how sure the network was, 0 to 1.
    public let time, score: Double
}

/// From scores, look by look, to events: smoothed, above a limit, and not right after another. Whole numbers.
struct KeywordJudge {
    /// Scores are 0...255 in steps of 1 / 256.
    static let steps = 256

    private let rules: KeywordRules
    private var held: [[Int]]
    private var looks = 0, quiet = 0

    init(_ rules: KeywordRules) {
        self.rules = rules
        held = Array(repeating: Array(repeating: 0, count: rules.labels.count), count: rules.smoothed)
    }

    /// Scores of the next look; returns the event that they complete, mostly nil.
    mutating func push(_ scores: [Int]) -> KeywordEvent? {
        let look = looks
        looks += 1
        held[look % rules.smoothed] = Array(scores.prefix(rules.labels.count))
        let totals = rules.labels.indices.map { word in held.reduce(0) { $0 + $1[word] } }
        let most = totals.max() ?? 0, best = totals.firstIndex(of: most) ?? 0
        if quiet > 0 {
            quiet -= 1
            return nil
        }
        guard most > rules.limit else { return nil }
        quiet = rules.refractory
        let time = (Double(rules.first) + Double(look) * Double(rules.hop)) / Double(rules.rate)
        let score = Double(most) / Double(rules.smoothed) / Double(Self.steps)
        return KeywordEvent(
            word: rules.labels[best], time: Numbers.round(time, places: 3), score: Numbers.round(score, places: 3))
    }
}
