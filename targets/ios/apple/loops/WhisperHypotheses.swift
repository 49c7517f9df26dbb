import Foundation

/// A growing set of token sequences about one window, with their self-attention caches. A value: a copy continues
/// differently, and both share what they had.
struct WhisperHypotheses {
    private static let queries = "alignment_queries"

    private let decoder: any Graph
    private let cross: [String: any Tensor]
    /// The caches before the first token, and those of now.
    private let empty: [String: any Tensor]
    private var past: [String: any Tensor]
    /// The alignment queries [heads * size] of the first hypothesis' newest token; nil if the decoder gives none.
    private(set) var queries: [Float]?

    /// - Parameters:
    ///   - cross: what the encoder said.
    ///   - blanks: entries of the caches before the first token, which the decoder does not look at.
    init(_ decoder: any Graph, _ part: Description.Part, cross: [String: any Tensor], blanks: Int) {
        self.decoder = decoder
        self.cross = cross
        var past: [String: any Tensor] = [:]
        for spec in part.inputs where spec.name.hasPrefix("past_") {
            let shape = [1, spec.shape[1], blanks, spec.shape[3]]
            past[spec.name] = Values([Float](repeating: 0, count: shape.reduce(1, *)), shape)
        }
        empty = past
        self.past = past
    }

    /// Appends tokens.
    ///
    /// - Parameters:
    ///   - tokens: of every hypothesis, equally many.
    ///   - select: positions among them whose logits are wanted.
    /// - Returns: logits [hypothesis][selected][vocabulary].
    mutating func step(_ tokens: [[Int]], select: [Int]) async throws -> [[[Float]]] {
        let out = try await fed(tokens, select: select)
        queries = try out[Self.queries].map(Self.newest)
        return try Self.rows(out["logits"], tokens.count, select.count)
    }

    /// Of [heads, hypotheses, tokens, size].
    private static func newest(_ all: any Tensor) throws -> [Float] {
        let values = try all.floats(), shape = all.shape
        let each = shape[1] * shape[2] * shape[3], from = (shape[2] - 1) * shape[3]
        return (0..<shape[0]).flatMap { values[$0 * each + from..<$0 * each + from + shape[3]] }
    }

    /// Reads a text from the beginning of the window, beside what this one holds.
    ///
    /// - Returns: logits [selected][vocabulary], and the queries of each alignment head and token, row by row.
    func read(_ tokens: [Int], select: [Int]) async throws -> (logits: [[Float]], queries: [Float]) {
        var fresh = self
        fresh.past = fresh.empty
        let out = try await fresh.fed([tokens], select: select)
        guard let queries = out[Self.queries] else { throw ModelError.damaged("the decoder gives no queries") }
        return (try Self.rows(out["logits"], 1, select.count)[0], try queries.floats())
    }

    /// Whether a decoder gives what the times of words need.
    static func aligns(_ decoder: Description.Part) -> Bool {
        decoder.outputs.contains { $0.name == queries }
    }

    /// Runs the decoder and keeps its caches; gives the other outputs.
    private mutating func fed(_ tokens: [[Int]], select: [Int]) async throws -> [String: any Tensor] {
        var feeds = past.merging(cross) { own, _ in own }
        feeds["tokens"] = Values(tokens.flatMap { $0.map(Int64.init) }, [tokens.count, tokens[0].count])
        feeds["select"] = Values(select.map(Int64.init), [select.count])
        let out = try await decoder.run(feeds)
        let caches = out.filter { $0.key.hasPrefix("present_") }
        past = Dictionary(
            uniqueKeysWithValues: caches.map { ($0.key.replacingOccurrences(of: "present_", with: "past_"), $0.value) })
        return out.filter { caches[$0.key] == nil }
    }

    /// Logits [hypothesis][selected][vocabulary].
    private static func rows(_ logits: (any Tensor)?, _ hypotheses: Int, _ selected: Int) throws -> [[[Float]]] {
        guard let values = try logits?.floats() else { throw ModelError.damaged("the decoder gives no logits") }
        let size = values.count / (hypotheses * selected)
        return (0..<hypotheses).map { row in
            (0..<selected).map { column in
                let from = (row * selected + column) * size
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
