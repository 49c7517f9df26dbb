import Foundation

/// Whether one person speaks in two clips. Calls may come from any task: they are answered one at a time.
public final class SpeakerVerifier: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: SpeakerEmbedder
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try SpeakerEmbedder(parts, files.description)
    }

    /// A cosine of at least this means the same speaker.
    public var threshold: Double { loop.threshold }

    /// The voice in a clip as numbers, of length 1.
    ///
    /// - Parameter clip: mono at 16 kHz, in [-1, 1], at least a quarter of a second.
    /// - Throws: `ModelError`, `CancellationError`.
    public func embed(_ clip: any Samples & Sendable) async throws -> [Float] {
        try await turns.take { [self] in try await loop.embed(clip) }
    }

    /// The cosine of two embeddings, to be compared with `threshold`.
    public func similarity(_ first: [Float], _ second: [Float]) -> Double { SpeakerEmbedder.similarity(first, second) }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let clip = try files.goldenInput().floats()
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                "a voice as \(try await SpeakerEmbedder(watched, files.description).embed(clip).count) numbers"
            }
        }
    }
}
