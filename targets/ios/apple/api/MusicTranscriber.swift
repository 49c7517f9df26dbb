import Foundation

/// Sounds to the notes that are played, by any instruments. Calls may come from any task: they are answered one at a time.
public final class MusicTranscriber: Sendable {
    private let model: Opened<PlayedNotes>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Samples in a second of the sound that it takes.
    public var rate: Int { model.loop.rate }

    /// The rules by which notes follow from activations, as the bundle has them.
    public var rules: NoteRules { model.loop.rules }

    /// The notes of a sound in order of their starts.
    ///
    /// - Parameters:
    ///   - sound: mono at `rate`, in [-1, 1], of 20 minutes at most; an array, or your own `Samples`.
    ///   - rules: nil: the bundle's.
    ///   - progress: called with seconds done and seconds in all.
    /// - Throws: `ModelError`, `CancellationError`.
    public func transcribe(
        _ sound: any Samples & Sendable, rules: NoteRules? = nil,
        progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> [MusicNote] {
        try await model.use { loop in try await loop.transcribe(sound, rules ?? loop.rules, progress: progress) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
