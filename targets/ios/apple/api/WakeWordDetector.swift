import Foundation

/// Words or a wake phrase in sound that comes in pieces. Pieces are taken in the order of the calls.
public final class WakeWordDetector: Sendable {
    private let model: Opened<KeywordDetector>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The words that it can hear.
    public var words: [String] { model.loop.rules.labels }

    /// Samples in a second of sound.
    public var rate: Int { model.loop.rules.rate }

    /// Takes the next samples of mono sound, of any number; returns the events that they complete, mostly none.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func feed(_ chunk: [Int16]) async throws -> [KeywordEvent] {
        try await model.use { loop in try await loop.feed(chunk) }
    }

    /// The same for floats in [-1, 1].
    public func feed(_ chunk: [Float]) async throws -> [KeywordEvent] {
        try await feed(KeywordDetector.pcm(chunk))
    }

    /// Forgets all sound so far; times count from here.
    public func reset() async throws {
        try await model.use { loop in loop.reset() }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
