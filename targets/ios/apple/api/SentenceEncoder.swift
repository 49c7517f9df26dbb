import Foundation

/// Sentences to vectors: similar sentences have similar directions. Calls are answered one at a time.
public final class SentenceEncoder: Sendable {
    private let model: Opened<SentenceVectors>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The vector of a text, of length 1; the end of a long one is left out.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func embed(_ text: String) async throws -> [Float] {
        try await model.use { loop in try await loop.embed(text) }
    }

    /// The cosine of two vectors of this model: 1 for the same direction.
    public func similarity(_ first: [Float], _ second: [Float]) -> Double { SentenceVectors.similarity(first, second) }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
