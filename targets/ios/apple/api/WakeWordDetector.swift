import Foundation

/// Words or a wake phrase in sound that comes in pieces. Pieces are taken in the order of the calls.
public final class WakeWordDetector: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: KeywordDetector
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try KeywordDetector(parts, files.description)
    }

    /// The words that it can hear.
    public var words: [String] { loop.rules.labels }

    /// Samples in a second of sound.
    public var rate: Int { loop.rules.rate }

    /// Takes the next samples of mono sound, of any number; returns the events that they complete, mostly none.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func feed(_ chunk: [Int16]) async throws -> [KeywordEvent] {
        try await turns.take { [self] in try await loop.feed(chunk) }
    }

    /// The same for floats in [-1, 1].
    public func feed(_ chunk: [Float]) async throws -> [KeywordEvent] {
        try await feed(KeywordDetector.pcm(chunk))
    }

    /// Forgets all sound so far; times count from here.
    public func reset() async throws {
        try await turns.take { [self] in loop.reset() }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let sound = try KeywordDetector.pcm(files.goldenInput().floats())
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                let events = try await KeywordDetector(watched, files.description).feed(sound)
                return events.map { "\($0.word) at \(String(format: "%.2f", $0.time)) s" }.joined(separator: ", ")
            }
        }
    }
}
