import Foundation

/// Sentences to vectors: similar sentences have similar directions. Calls are answered one at a time.
public final class SentenceEncoder: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: SentenceVectors
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try SentenceVectors(parts, files.description, vocabulary: files.data("vocabulary.bin"))
    }

    /// The vector of a text, of length 1; the end of a long one is left out.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func embed(_ text: String) async throws -> [Float] {
        try await turns.take { [self] in try await loop.embed(text) }
    }

    /// The cosine of two vectors of this model: 1 for the same direction.
    public func similarity(_ first: [Float], _ second: [Float]) -> Double { SentenceVectors.similarity(first, second) }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let text = String(decoding: try files.goldenInput().bytes(), as: UTF8.self)
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                let loop = try SentenceVectors(watched, files.description, vocabulary: files.data("vocabulary.bin"))
                return "a vector of \(try await loop.embed(text).count) numbers"
            }
        }
    }
}
