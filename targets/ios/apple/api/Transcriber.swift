import Foundation

/// Speech to text. Calls may come from any task: they are answered one at a time; cancelling a task stops its call within
/// a step of the decoder.
public final class Transcriber: Sendable {
    private let model: Opened<WhisperTranscriber>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Codes of the languages that it knows, such as "en".
    public var languages: [String] { model.loop.tokens.languages.keys.sorted() }

    /// The text of a sound.
    ///
    /// - Parameters:
    ///   - sound: mono at 16 kHz, in [-1, 1]; an array, or your own `Samples` for what does not fit into memory.
    ///   - language: a code of `languages`, or nil: it is detected.
    ///   - translate: to English instead of transcribing.
    ///   - timestamps: give segments with times; always so beyond 30 s.
    ///   - words: give the times of words, at the cost of one more run of the decoder for each window.
    ///   - vad: transcribe only where somebody speaks; nil: in sounds longer than 30 s.
    ///   - progress: called with seconds done and seconds in all.
    /// - Throws: `ModelError`, `CancellationError`.
    public func transcribe(
        _ sound: any Samples & Sendable, language: String? = nil, translate: Bool = false, timestamps: Bool = false,
        words: Bool = false, vad: Bool? = nil, progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> Transcript {
        let options = WhisperOptions(
            language: language, translate: translate, timestamps: timestamps, words: words, vad: vad)
        return try await model.use { loop in
            try await loop.transcribe(sound, options, progress: progress)
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
