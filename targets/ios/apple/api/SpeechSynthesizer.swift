import Foundation

/// A voice that reads phonemes aloud. Calls may come from any task: they are answered one at a time.
///
/// Words become phonemes by an app's own `Phonemizer`. espeak-ng, which made those that the voice has learnt, is GPL-3.0 and not
/// in here: an app links it and takes its licence's terms upon itself, or ships the phonemes of what it says.
public final class SpeechSynthesizer: Sendable {
    private let model: Opened<VoiceReader>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Samples in a second of what it says.
    public var rate: Int { model.loop.rate }

    /// The voice of espeak-ng whose phonemes it knows, such as "en-us".
    public var voice: String { model.loop.voice }

    /// The manner of reading that the bundle has.
    public var manner: VoiceManner { model.loop.manner }

    /// Reads phonemes in the International Phonetic Alphabet, with the marks of their sentences: "həlˈoʊ wˈɜːld!".
    ///
    /// - Parameters:
    ///   - manner: nil: the bundle's.
    ///   - progress: called with sentences done and sentences in all.
    /// - Throws: `ModelError`, `CancellationError`.
    public func speak(
        _ phonemes: String, manner: VoiceManner? = nil,
        progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> VoiceSound {
        try await model.use { loop in try await loop.speak(phonemes, manner ?? loop.manner, progress: progress) }
    }

    /// Reads a text, whose words a phonemizer turns into phonemes, a clause at a time. What stands in double brackets is taken as
    /// phonemes: "Say [[ pˈeɪpɚ ]] twice."
    ///
    /// - Throws: `ModelError`, `CancellationError`, and what the phonemizer throws.
    public func read(
        _ text: String, manner: VoiceManner? = nil,
        progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }, phonemizer: @escaping Phonemizer
    ) async throws -> VoiceSound {
        try await model.use { loop in
            try await loop.read(text, phonemizer, manner ?? loop.manner, progress: progress)
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
