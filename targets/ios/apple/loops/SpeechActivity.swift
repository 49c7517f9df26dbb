import Foundation

/// What was heard in a sound.
public struct SpeechHeard: Sendable {
    /// A stretch in which somebody speaks, in seconds from the start of the sound.
    public struct Span: Sendable, Equatable {
        public let start, end: Double
    }

    /// In order, none overlapping.
    public let spans: [Span]
    /// The probability of speech in each frame; seconds of a frame.
    public let probabilities: [Double]
    public let frame: Double

    /// For people: such as "speech from 0.29 to 2.21 s".
    var text: String {
        let texts = spans.map { String(format: "%.2f to %.2f", $0.start, $0.end) }
        return texts.isEmpty ? "no speech" : "speech from \(texts.joined(separator: ", ")) s"
    }
}

/// In which stretches of a sound at 16 kHz somebody speaks; or, as it comes, how probable it is that somebody does.
final class SpeechActivity: TaskLoop {
    private static let rate = 16_000.0
    /// Frames that are read at once.
    private static let block = 320

    private let fresh: SpeechListener
    private var stream: SpeechListener
    /// The bundle's rules; an app may have others.
    let rules: SpeechRules

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let network = parts["network"] else { throw ModelError.damaged("the network is missing") }
        fresh = try SpeechListener(network, description.part("network"), description.facts)
        stream = fresh
        rules = try SpeechRules(description.facts.object("rules"))
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await detect(golden.input("audio").floats(), rules).text
    }

    /// Speech in a sound. Throws `ModelError.badInput` for values that are not numbers.
    func detect(
        _ sound: any Samples, _ rules: SpeechRules, progress: (Double, Double) -> Void = { _, _ in }
    ) async throws -> SpeechHeard {
        var listener = fresh, heard: [Double] = []
        let size = Self.block * listener.hop
        for from in stride(from: 0, to: sound.count, by: size) {
            progress(Double(from) / Self.rate, Double(sound.count) / Self.rate)
            heard += try await listener.push(sound.window(from: from, most: size))
        }
        heard += try await listener.finish()
        let spans = SpeechSpans.spans(heard, rules, hop: listener.hop, size: sound.count)
        return SpeechHeard(
            spans: spans.map { .init(start: $0.start, end: $0.end) }, probabilities: heard,
            frame: Double(listener.hop) / Self.rate)
    }

    /// The probabilities of the frames that the next samples of a stream complete, mostly none or few.
    func push(_ samples: [Float]) async throws -> [Double] {
        try await stream.push(samples.window(from: 0, most: samples.count))
    }

    /// Begins a new stream.
    func reset() { stream = fresh }
}
