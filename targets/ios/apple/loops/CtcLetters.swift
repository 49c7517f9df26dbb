import Foundation

/// Speech to text, of networks that give a letter for every moment (CTC): the likeliest at each.
struct CtcLetters: TaskLoop {
    private let network: any Graph
    private let input, output: Description.Spec
    private let waves: Waveform
    private let vocabulary: [String]
    private let blank: Int
    /// Between words; empty: there are none.
    private let delimiter: String
    private let lower: Bool
    /// Samples in a second.
    var rate: Int { waves.rate }

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let part = try description.part("network"), facts = description.facts
        guard let network = parts["network"], let input = part.inputs.first, let output = part.outputs.first
        else { throw ModelError.damaged("the network does not take sound and give letters") }
        (self.network, self.input, self.output) = (network, input, output)
        waves = try Waveform(facts, input)
        vocabulary = try facts.texts("vocabulary")
        blank = try facts.int("blank")
        delimiter = try facts.text("delimiter")
        lower = facts.has("lower") ? try facts.value("lower") : false
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await transcribe(golden.input("audio").floats())
    }

    /// The text of a sound; of a long one window after window.
    ///
    /// - Parameter progress: called with seconds done and seconds in all, before each window.
    /// - Throws: `ModelError.badInput`: the sound is too short, or values are not numbers.
    func transcribe(_ sound: any Samples, progress: (Double, Double) -> Void = { _, _ in }) async throws -> String {
        var texts: [String] = [], start: Int? = 0
        while let from = start {
            let held = try waves.window(sound, from: from)
            guard !held.isEmpty else { break }
            try Task.checkCancellation()
            progress(Double(from) / Double(rate), Double(sound.count) / Double(rate))
            texts.append(try await letters(held))
            start = waves.after(from, held)
        }
        let text = texts.filter { !$0.isEmpty }.joined(separator: " ")
        return lower ? text.lowercased() : text
    }

    /// A letter that stays counts once; a blank parts equal ones.
    private func letters(_ held: [Float]) async throws -> String {
        let samples = waves.input(held)
        let made = try await network.run([input.name: samples], giving: output.name)
        let values = try made.floats(), moments = made.shape[1], count = made.shape[2]
        // What was filled up has no letters; a moment covers as many samples as any other.
        let heard = (moments * held.count + samples.count - 1) / samples.count
        var text = "", last = -1
        for moment in 0..<heard {
            let best = Numbers.argmax(Array(values[moment * count..<(moment + 1) * count]))
            if best != last, best != blank, best < vocabulary.count {
                text += vocabulary[best]
            }
            last = best
        }
        guard !delimiter.isEmpty else { return text }
        let words = text.replacingOccurrences(of: delimiter, with: " ").split(whereSeparator: \.isWhitespace)
        return words.joined(separator: " ")
    }
}
