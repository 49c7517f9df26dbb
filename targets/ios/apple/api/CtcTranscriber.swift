import Foundation

/// Speech to text, letter by letter, without times. Calls may come from any task: they are answered one at a time.
public final class CtcTranscriber: Sendable {
    private let model: Opened<CtcLetters>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Samples in a second of what it takes.
    public var rate: Int { model.loop.rate }

    /// The text of a sound; of a long one window after window.
    ///
    /// - Parameters:
    ///   - sound: mono, in [-1, 1], `rate` samples a second.
    ///   - progress: called with seconds done and seconds in all, before each window.
    /// - Throws: `ModelError`, `CancellationError`.
    public func transcribe(
        _ sound: any Samples & Sendable, progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> String {
        try await model.use { loop in try await loop.transcribe(sound, progress: progress) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
