import Foundation

/// Sounds to labels, of a long one its beginning. Calls may come from any task: they are answered one at a time.
public final class SoundClassifier: Sendable {
    private let model: Opened<SoundLabels>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Samples in a second of what it takes.
    public var rate: Int { model.loop.rate }

    /// The most probable labels first.
    ///
    /// - Parameters:
    ///   - sound: mono, in [-1, 1], `rate` samples a second.
    ///   - top: how many to tell; all where there are fewer.
    /// - Throws: `ModelError`, `CancellationError`.
    public func classify(_ sound: any Samples & Sendable, top: Int = 5) async throws -> [Ranked] {
        try await model.use { loop in try await loop.classify(sound, top: top) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
