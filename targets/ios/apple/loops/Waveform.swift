import Foundation

/// A sound as the windows of samples that a network takes.
struct Waveform {
    /// Added to a variance before its root: transformers' own number.
    private static let smallest = 1e-7

    /// Samples in a second.
    let rate: Int
    /// Samples that the network takes at once; nil: as many as there are, up to `most`.
    private let fixed: Int?
    private let most, least: Int
    private let normalise: Bool

    /// - Parameter spec: the input that takes the samples, [1, N].
    init(_ facts: Facts, _ spec: Description.Spec) throws {
        guard spec.shape.count == 2 else { throw ModelError.damaged("the network does not take samples") }
        fixed = spec.shape[1] > 0 ? spec.shape[1] : nil
        most = min(fixed ?? .max, try facts.int("most"))
        least = try facts.int("least")
        rate = try facts.int("sample_rate")
        normalise = facts.has("normalise") ? try facts.value("normalise") : false
    }

    /// The samples of the window that begins at `start`; none behind the last one that is long enough.
    ///
    /// - Throws: `ModelError.badInput`: the whole sound is too short, or values are not numbers.
    func window(_ sound: any Samples, from start: Int) throws -> [Float] {
        let held = try sound.window(from: start, most: most)
        if start == 0, held.count < least {
            let seconds = [held.count, least].map { String(format: "%.2f", Double($0) / Double(rate)) }
            throw ModelError.badInput("the sound has \(seconds[0]) s; the network takes \(seconds[1]) s at least")
        }
        return held.count < least ? [] : held
    }

    /// Where the window behind this one begins; nil: this was the last.
    func after(_ start: Int, _ held: [Float]) -> Int? { held.count == most ? start + most : nil }

    /// A window as the network takes it: with a mean of 0 and a variance of 1 where it asks for that, zeros behind.
    func input(_ held: [Float]) -> Values {
        var values = held
        if normalise {
            let count = Double(held.count), mean = held.reduce(0) { $0 + Double($1) } / count
            let squares = held.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
            let deviation = (squares / count + Self.smallest).squareRoot()
            values = held.map { Float((Double($0) - mean) / deviation) }
        }
        values += [Float](repeating: 0, count: max(0, (fixed ?? 0) - held.count))
        return Values(values, [1, values.count])
    }
}
