import Foundation

/// How spans of speech follow from probabilities. All but the first two are seconds. The defaults are those of Silero VAD's
/// get_speech_timestamps.
public struct SpeechRules: Sendable {
    /// Speech begins at the first probability, and ends below the second.
    public let threshold, release: Double
    /// Speech that is not longer is dropped; silence that is shorter does not end a span.
    public let shortest, pause: Double
    /// Added at both sides of a span, at most to the middle of the pause between two.
    public let padding: Double
    /// A span is cut before it gets longer than the first, in a pause longer than the second; without one, where it is.
    public let longest, cut: Double

    /// - Parameter release: nil: 0.15 under the threshold.
    /// - Throws: `ModelError.badInput` for a rule that is none.
    public init(
        threshold: Double = 0.5, release: Double? = nil, shortest: Double = 0.25, pause: Double = 0.1,
        padding: Double = 0.03, longest: Double = .infinity, cut: Double = 0.098
    ) throws {
        self.init(
            unchecked: threshold, release: release, shortest: shortest, pause: pause, padding: padding, longest: longest,
            cut: cut)
        guard (0...1).contains(threshold), self.release >= 0, self.release <= threshold,
            min(shortest, pause, padding, cut) >= 0
        else {
            throw ModelError.badInput("a threshold is at most 1, a release at most the threshold, nothing below 0")
        }
        guard longest >= 1 else {
            throw ModelError.badInput("spans of \(longest) s at most are too short: one second at least")
        }
    }

    init(
        unchecked threshold: Double, release: Double? = nil, shortest: Double, pause: Double, padding: Double,
        longest: Double, cut: Double = 0.098
    ) {
        self.threshold = threshold
        self.release = release ?? max(threshold - 0.15, 0.01)
        self.shortest = shortest
        self.pause = pause
        self.padding = padding
        self.longest = longest
        self.cut = cut
    }

    /// Those of a bundle: "rules" of its facts.
    init(_ facts: Facts) throws {
        func number(_ name: String, _ otherwise: Double) throws -> Double {
            facts.has(name) ? try facts.double(name) : otherwise
        }
        try self.init(
            threshold: number("threshold", 0.5), release: facts.has("release") ? facts.double("release") : nil,
            shortest: number("shortest", 0.25), pause: number("pause", 0.1), padding: number("padding", 0.03),
            longest: number("longest", .infinity), cut: number("cut", 0.098))
    }
}
