import Foundation

/// A sound to labels, of networks that take it whole; of a long one its beginning.
struct SoundLabels: TaskLoop {
    private let network: any Graph
    /// Nil: the network takes samples.
    private let frontend: (any Graph)?
    private let samples, features, output: Description.Spec
    private let waves: Waveform
    private let labels: [String]
    private let activation: String
    private let facts: Facts
    /// Samples in a second.
    var rate: Int { waves.rate }

    init(_ parts: [String: any Graph], _ description: Description) throws {
        facts = description.facts
        frontend = parts["frontend"]
        let part = try description.part("network"), first = frontend == nil ? part : try description.part("frontend")
        guard let network = parts["network"], let input = first.inputs.first, let features = part.inputs.first,
            let output = part.outputs.first
        else { throw ModelError.damaged("the network does not take sound and give scores") }
        (self.network, samples, self.features, self.output) = (network, input, features, output)
        waves = try Waveform(facts, input)
        labels = try facts.texts("labels")
        activation = try facts.text("activation")
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await classify(golden.input("audio").floats(), top: 1)[0].label
    }

    /// The most probable labels first.
    ///
    /// - Parameter top: how many to tell; all where there are fewer.
    /// - Throws: `ModelError.badInput`: the sound is too short, or values are not numbers.
    func classify(_ sound: any Samples, top: Int) async throws -> [Ranked] {
        let held = try waves.window(sound, from: 0)
        try Task.checkCancellation()
        var fed: any Tensor = waves.input(held)
        if let frontend {
            fed = try spectrum(await frontend.run([samples.name: fed], giving: features.name), held.count)
        }
        let made = try await network.run([features.name: fed], giving: output.name)
        return try Ranked.best(top, of: scores(made.floats()), labels)
    }

    /// The features, silent behind the sound's end.
    private func spectrum(_ made: any Tensor, _ length: Int) throws -> Values {
        let frame = try facts.int("frame"), hop = try facts.int("hop"), silence = Float(try facts.double("silence"))
        let frames = length < frame ? 0 : 1 + (length - frame) / hop
        var values = try made.floats()
        for at in min(frames, made.shape[1]) * made.shape[2]..<values.count {
            values[at] = silence
        }
        return Values(values, made.shape)
    }

    private func scores(_ logits: [Float]) -> [Float] {
        switch activation {
        case "softmax": return Numbers.softmax(logits)
        case "sigmoid": return logits.map { Float(1 / (1 + exp(-Double($0)))) }
        default: return logits
        }
    }
}
