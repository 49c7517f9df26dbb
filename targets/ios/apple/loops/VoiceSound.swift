import Foundation

/// A text that was read.
public struct VoiceSound: Sendable {
    /// Largest sample of a sound: voices differ in level.
    private static let peak = 0.95

    /// Mono, in [-1, 1]; and how many of them are a second.
    public let samples: [Float]
    public let rate: Int
    /// The phonemes of each sentence; and those that the voice does not know, which were left out.
    public let sentences, unknown: [String]

    /// Scales the sound so that its loudest sample is the peak; what is no number becomes silence.
    init(_ sound: [Float], rate: Int, sentences: [String], unknown: [String]) {
        let numbers = sound.map { $0.isFinite ? $0 : 0 }, loudest = Double(numbers.map(abs).max() ?? 0)
        let scale = loudest > 1e-6 ? Float(Self.peak / loudest) : 1
        samples = numbers.map { $0 * scale }
        (self.rate, self.sentences, self.unknown) = (rate, sentences, unknown)
    }

    /// For people: such as "3.21 s of speech, 2 sentences".
    var text: String {
        let count = sentences.count == 1 ? "1 sentence" : "\(sentences.count) sentences"
        return VoiceSound.seconds(samples.count, rate) + ", " + count
    }

    static func seconds(_ samples: Int, _ rate: Int) -> String {
        String(format: "%.2f s of speech", Double(samples) / Double(rate))
    }
}
