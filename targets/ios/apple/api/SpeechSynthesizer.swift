import Foundation

/// A voice that reads phonemes aloud. Calls may come from any task: they are answered one at a time.
///
/// Words become phonemes by an app's own `Phonemizer`. espeak-ng, which made those that the voice has learnt, is GPL-3.0 and not
/// in here: an app links it and takes its licence's terms upon itself, or ships the phonemes of what it says.
public final class SpeechSynthesizer: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: VoiceReader
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try VoiceReader(parts, files.description)
    }

    /// Samples in a second of what it says.
    public var rate: Int { loop.rate }

    /// The voice of espeak-ng whose phonemes it knows, such as "en-us".
    public var voice: String { loop.voice }

    /// The manner of reading that the bundle has.
    public var manner: VoiceManner { loop.manner }

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
        try await turns.take { [self] in try await loop.speak(phonemes, manner ?? loop.manner, progress: progress) }
    }

    /// Reads a text, whose words a phonemizer turns into phonemes, a clause at a time. What stands in double brackets is taken as
    /// phonemes: "Say [[ pˈeɪpɚ ]] twice."
    ///
    /// - Throws: `ModelError`, `CancellationError`, and what the phonemizer throws.
    public func read(
        _ text: String, manner: VoiceManner? = nil,
        progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }, phonemizer: @escaping Phonemizer
    ) async throws -> VoiceSound {
        try await turns.take { [self] in
            try await loop.read(text, phonemizer, manner ?? loop.manner, progress: progress)
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let text = String(decoding: try files.goldenInput().bytes(), as: UTF8.self)
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                try await VoiceReader(watched, files.description).probe(text)
            }
        }
    }
}
