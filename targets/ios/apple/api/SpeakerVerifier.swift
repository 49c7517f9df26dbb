import Foundation

/// Whether one person speaks in two clips. Calls may come from any task: they are answered one at a time.
public final class SpeakerVerifier: Sendable {
    private let model: Opened<SpeakerEmbedder>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// A cosine of at least this means the same speaker.
    public var threshold: Double { model.loop.threshold }

    /// The voice in a clip as numbers, of length 1.
    ///
    /// - Parameter clip: mono at 16 kHz, in [-1, 1], at least a quarter of a second.
    /// - Throws: `ModelError`, `CancellationError`.
    public func embed(_ clip: any Samples & Sendable) async throws -> [Float] {
        try await model.use { loop in try await loop.embed(clip) }
    }

    /// The cosine of two embeddings, to be compared with `threshold`.
    public func similarity(_ first: [Float], _ second: [Float]) -> Double { SpeakerEmbedder.similarity(first, second) }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
