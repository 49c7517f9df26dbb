import Foundation

/// Sentences to vectors of length 1: similar sentences have similar directions.
struct SentenceVectors: TaskLoop {
    private let network: any Graph
    private let part: Description.Part
    private let pieces: WordPieces
    private let pad, most: Int
    /// Tokens that the network takes at once; nil: as many as there are.
    private let fixed: Int?

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let rules = try description.facts.object("tokenizer")
        part = try description.part("network")
        guard let network = parts["network"], let shape = part.inputs.first?.shape, shape.count == 2, !part.outputs.isEmpty
        else { throw ModelError.damaged("the network does not take tokens and give a vector") }
        self.network = network
        pieces = try WordPieces(description.vocabulary, rules)
        pad = try pieces.number(rules.text("pad"))
        fixed = shape[1] > 0 ? shape[1] : nil
        most = min(fixed ?? .max, try rules.int("most"))
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        "a vector of \(try await embed(String(decoding: golden.input("text").bytes(), as: UTF8.self)).count) numbers"
    }

    /// The vector of a text, of length 1; the end of a long one is left out.
    ///
    /// - Throws: `ModelError.badInput`: the text is empty.
    func embed(_ text: String) async throws -> [Float] {
        guard text.contains(where: { !$0.isWhitespace }) else { throw ModelError.badInput("the text is empty") }
        let tokens = try tokens(text).map(Int64.init), length = fixed ?? max(2, tokens.count)
        let filling = length - tokens.count
        let rows = [
            "input_ids": tokens + Array(repeating: Int64(pad), count: filling),
            "attention_mask": tokens.map { _ in 1 } + Array(repeating: 0, count: filling),
            "token_type_ids": Array(repeating: 0, count: length),
        ]
        var feeds: [String: any Tensor] = [:]
        for spec in part.inputs {
            guard let row = rows[spec.name] else { throw ModelError.damaged("the network asks for \(spec.name)") }
            feeds[spec.name] = Values(row, [1, length])
        }
        try Task.checkCancellation()
        let values = try await network.run(feeds, giving: part.outputs[0].name).floats()
        let size = values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        guard size > 0, size.isFinite else {
            throw ModelError.badInput("the network's vector of this text has no direction")
        }
        return values.map { $0 / Float(size) }
    }

    /// The tokens of a text, as the network is given them.
    func tokens(_ text: String) throws -> [Int] { try pieces.tokens(text, most: most) }

    /// The cosine of two vectors.
    static func similarity(_ first: [Float], _ second: [Float]) -> Double {
        zip(first, second).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
}
