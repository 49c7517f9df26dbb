import Foundation

/// A mono sound at the model's sample rate, as floats in [-1, 1], that need not be in memory as a whole.
public protocol Samples {
    /// How many samples there are.
    var count: Int { get }
    /// Samples [start, start + most), fewer at the end only.
    func read(from start: Int, most: Int) throws -> [Float]
}

extension Array: Samples where Element == Float {
    public func read(from start: Int, most: Int) -> [Float] {
        start < count ? Array(self[start..<Swift.min(count, start + most)]) : []
    }
}

extension Samples {
    /// Samples that have been checked. Throws `ModelError.badInput` for values that are not numbers.
    func window(from start: Int, most: Int) throws -> [Float] {
        let values = try read(from: start, most: most)
        guard values.count == Swift.max(0, Swift.min(most, count - start)) else {
            throw ModelError.badInput("the sound ends after \(start + values.count) samples, not \(count)")
        }
        guard values.allSatisfy(\.isFinite) else {
            throw ModelError.badInput("the audio holds values that are not numbers (NaN or infinite)")
        }
        return values
    }
}
