import Foundation

/// The arithmetic that several loops share.
enum Numbers {
    /// Where the largest value is, the first of several.
    static func argmax(_ values: [Float]) -> Int {
        var best = 0
        values.withUnsafeBufferPointer { all in
            for i in all.indices where all[i] > all[best] {
                best = i
            }
        }
        return best
    }

    static func softmax(_ scores: [Float]) -> [Float] {
        let top = scores[argmax(scores)]
        let odds = scores.map { exp(Double($0 - top)) }
        let sum = odds.reduce(0, +)
        return odds.map { Float($0 / sum) }
    }

    /// A decimal number of few places, halves to even, as Python's round.
    static func round(_ value: Double, places: Int) -> Double {
        Double(String(format: "%.\(places)f", value)) ?? value
    }
}
