import Foundation

/// From a clip at 16 kHz to an embedding of its speaker, of length 1.
struct SpeakerEmbedder: TaskLoop {
    private static let rate = 16_000
    /// A clip shorter than this (seconds) or more silent than this (root mean square) holds no voice.
    private static let shortest = 0.25, quietest = 1e-4
    private static let block = 10 * rate

    private let frontend, network: any Graph
    private let facts: Facts
    private let stretchSamples: Int
    /// A cosine of at least this means the same speaker.
    let threshold: Double

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let frontend = parts["frontend"], let network = parts["network"] else {
            throw ModelError.damaged("a part of the speaker model is missing")
        }
        (self.frontend, self.network) = (frontend, network)
        facts = description.facts
        threshold =
            facts.has("operating_point")
            ? try facts.object("operating_point").double("threshold") : try facts.object("threshold").double("value")
        stretchSamples = try description.part("frontend").inputs.first?.shape.last ?? -1
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        "a voice as \(try await embed(golden.input("audio").floats()).count) numbers"
    }

    /// - Throws: `ModelError.badInput`: the clip is shorter than a quarter of a second, silent, or not made of numbers.
    func embed(_ clip: any Samples) async throws -> [Float] {
        let loudness = try loudness(clip)
        let embeddings = facts.has("stretch") ? try await stretches(clip, loudness) : try await windows(clip)
        var mean = [Double](repeating: 0, count: embeddings[0].count)
        for embedding in embeddings {
            for i in mean.indices {
                mean[i] += Double(embedding[i]) / Double(embeddings.count)
            }
        }
        let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0 else { throw ModelError.badInput("the network finds no voice in this clip") }
        return mean.map { Float($0 / length) }
    }

    /// The cosine of two embeddings.
    static func similarity(_ first: [Float], _ second: [Float]) -> Double {
        zip(first, second).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    private func loudness(_ clip: any Samples) throws -> Double {
        guard Double(clip.count) >= Self.shortest * Double(Self.rate) else {
            throw ModelError.badInput("a voice takes at least \(Self.shortest) s of sound")
        }
        var power = 0.0
        for at in stride(from: 0, to: clip.count, by: Self.block) {
            power += try clip.window(from: at, most: Self.block).reduce(0) { $0 + Double($1) * Double($1) }
        }
        let loudness = (power / Double(clip.count)).squareRoot()
        guard loudness >= Self.quietest else {
            throw ModelError.badInput("the clip is silent: there is no voice in it")
        }
        return loudness
    }

    /// Windows that cover the clip, evenly spaced, as few as possible; a short clip is repeated.
    private func windows(_ clip: any Samples) async throws -> [[Float]] {
        let window = try facts.object("window")
        let least = try window.int("least"), most = try window.int("most")
        let count = max(1, (clip.count + most - 1) / most), last = max(0, clip.count - most)
        var embeddings: [[Float]] = []
        for i in 0..<count {
            try Task.checkCancellation()
            let start = count > 1 ? Int((Double(i * last) / Double(count - 1)).rounded(.toNearestOrEven)) : 0
            let samples = try clip.window(from: start, most: most)
            let window = (0..<max(least, samples.count)).map { samples[$0 % samples.count] }
            embeddings += try await run(window, rows: 1, loudness: nil)
        }
        return embeddings
    }

    /// Stretches that overlap, as Resemblyzer takes them; what the last stretch lacks is zeros.
    private func stretches(_ clip: any Samples, _ loudness: Double) async throws -> [[Float]] {
        let rules = try facts.object("stretch")
        let frames = try rules.int("frames"), step = try rules.int("step"), hop = try rules.int("hop")
        let batch = try rules.int("batch"), coverage = try rules.double("coverage")
        guard min(frames, step, hop, batch) > 0 else { throw ModelError.damaged("the stretches have no length") }
        let count = (clip.count + 1 + hop - 1) / hop
        var starts = Array(stride(from: 0, to: max(1, count - frames + step + 1), by: step))
        if starts.count > 1, Double(clip.count - starts.last! * hop) / Double(frames * hop) < coverage {
            starts.removeLast()
        }
        let around = (stretchSamples - (frames - 1) * hop) / 2
        var embeddings: [[Float]] = []
        for at in stride(from: 0, to: starts.count, by: batch) {
            try Task.checkCancellation()
            let chosen = starts[at..<min(at + batch, starts.count)]
            let block = try chosen.flatMap { try stretch(clip, start: $0 * hop, around: around) }
            embeddings += try await run(block, rows: chosen.count, loudness: Float(loudness))
        }
        return embeddings
    }

    /// The samples of a stretch and half a frame's around it; zeros before and behind the clip.
    private func stretch(_ clip: any Samples, start: Int, around: Int) throws -> [Float] {
        let before = max(0, around - start)
        let samples = try clip.window(from: max(0, start - around), most: stretchSamples - before)
        let after = stretchSamples - before - samples.count
        return [Float](repeating: 0, count: before) + samples + [Float](repeating: 0, count: after)
    }

    private func run(_ audio: [Float], rows: Int, loudness: Float?) async throws -> [[Float]] {
        var feeds: [String: any Tensor] = ["audio": Values(audio, [rows, audio.count / rows])]
        if let loudness {
            feeds["loudness"] = Values([loudness], [1])
        }
        let features = try await frontend.run(feeds, giving: "features")
        let values = try await network.run(["features": features], giving: "embedding").floats()
        let size = values.count / rows
        return (0..<rows).map { Array(values[$0 * size..<($0 + 1) * size]) }
    }
}
