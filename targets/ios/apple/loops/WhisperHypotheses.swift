import Foundation

/// A growing set of token sequences about one window, with their self-attention caches. A value: a copy continues
/// differently, and both share what they had.
struct WhisperHypotheses {
    private let decoder: any Graph
    private let cross: [String: any Tensor]
    private var past: [String: any Tensor] = [:]

    /// - Parameters:
    ///   - cross: what the encoder said.
    ///   - blanks: entries of the caches before the first token, which the decoder does not look at.
    init(_ decoder: any Graph, _ part: Description.Part, cross: [String: any Tensor], blanks: Int) {
        self.decoder = decoder
        self.cross = cross
        for spec in part.inputs where spec.name.hasPrefix("past_") {
            let shape = [1, spec.shape[1], blanks, spec.shape[3]]
            past[spec.name] = Values([Float](repeating: 0, count: shape.reduce(1, *)), shape)
        }
    }

    /// Appends tokens.
    ///
    /// - Parameters:
    ///   - tokens: of every hypothesis, equally many.
    ///   - select: positions among them whose logits are wanted.
    /// - Returns: logits [hypothesis][selected][vocabulary].
    mutating func step(_ tokens: [[Int]], select: [Int]) async throws -> [[[Float]]] {
        var feeds = past.merging(cross) { own, _ in own }
        feeds["tokens"] = Values(tokens.flatMap { $0.map(Int64.init) }, [tokens.count, tokens[0].count])
        feeds["select"] = Values(select.map(Int64.init), [select.count])
        var out = try await decoder.run(feeds)
        guard let logits = out.removeValue(forKey: "logits") else {
            throw ModelError.damaged("the decoder gives no logits")
        }
        past = Dictionary(uniqueKeysWithValues: out.map { ($0.key.replacingOccurrences(of: "present_", with: "past_"), $0.value) })
        let values = try logits.floats()
        let size = values.count / (tokens.count * select.count)
        return tokens.indices.map { row in
            select.indices.map { column in
                let from = (row * select.count + column) * size
                return Array(values[from..<from + size])
            }
        }
    }

    /// Continues so many times from the only hypothesis.
    mutating func `repeat`(_ count: Int) throws {
        guard count > 1 else { return }
        past = try past.mapValues { tensor in
            let values = try tensor.floats()
            return Values((0..<count).flatMap { _ in values }, [count] + tensor.shape.dropFirst())
        }
    }
}
