import Foundation

/// When somebody speaks. Calls may come from any task: they are answered one at a time.
public final class SpeechDetector: Sendable {
    private let model: Opened<SpeechActivity>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The rules by which spans follow from probabilities, as the bundle has them.
    public var rules: SpeechRules { model.loop.rules }

    /// Speech in a sound.
    ///
    /// - Parameters:
    ///   - sound: mono at 16 kHz, in [-1, 1]; an array, or your own `Samples` for what does not fit into memory.
    ///   - rules: nil: the bundle's.
    ///   - progress: called with seconds done and seconds in all.
    /// - Throws: `ModelError`, `CancellationError`.
    public func detect(
        _ sound: any Samples & Sendable, rules: SpeechRules? = nil,
        progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> SpeechHeard {
        try await model.use { loop in try await loop.detect(sound, rules ?? loop.rules, progress: progress) }
    }

    /// The probabilities of speech in the frames of 32 ms that the next samples complete, of any number, mostly none or few.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func feed(_ chunk: [Float]) async throws -> [Double] {
        try await model.use { loop in try await loop.push(chunk) }
    }

    /// Forgets what `feed` was given so far.
    public func reset() async throws {
        try await model.use { loop in loop.reset() }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
