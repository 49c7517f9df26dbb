import Foundation

/// From a window of samples to scores 0...255 of every class. Each frontend and network has its own.
protocol KeywordEar: AnyObject {
    /// Samples that a look takes, from a look to the next, and of silence that are taken to have been before the sound.
    var size: Int { get }
    var hop: Int { get }
    var before: Int { get }

    /// Scores of the window, whose samples are in [-1, 1).
    func look(_ window: [Float]) async throws -> [Int]
    func reset()
}

/// A frontend graph over the whole window of the network.
final class KeywordWindowEar: KeywordEar {
    private let frontend, network: any Graph
    private let output: String
    let size, hop: Int
    let before = 0

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let frontend = parts["frontend"], let network = parts["network"],
            let output = try description.part("network").outputs.first, output.type == "float32"
        else { throw ModelError.damaged("a part of the keyword model is missing") }
        (self.frontend, self.network, self.output) = (frontend, network, output.name)
        let rules = try KeywordRules(description.facts)
        (size, hop) = (rules.first, rules.hop)
    }

    func look(_ window: [Float]) async throws -> [Int] {
        let features = try await frontend.run(["audio": Values(window, [1, window.count])], giving: "window")
        let logits = try await network.run(["window": features], giving: output).floats().map(Double.init)
        let top = logits.max() ?? 0
        let odds = logits.map { exp($0 - top) }
        let sum = odds.reduce(0, +)
        return odds.map { Int(max(0, min(255, (256 * $0 / sum).rounded(.toNearestOrEven)))) }
    }

    func reset() {}
}

/// openWakeWord's three networks, 80 ms at a time. Silence is taken to have been before the sound, so the networks need no
/// run-up.
final class OpenWakewordEar: KeywordEar {
    private let frontend, embedding, head: any Graph
    private let step, mels, seen, count: Int
    private let silentFrame: Float
    private let silentEmbedding: [Float]
    private var frames: [Float] = [], embeddings: [Float] = []
    let size, hop: Int
    var before: Int { hop }

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let frontend = parts["frontend"], let embedding = parts["embedding"], let head = parts["head"] else {
            throw ModelError.damaged("a part of the wake word model is missing")
        }
        (self.frontend, self.embedding, self.head) = (frontend, embedding, head)
        let shape = try description.facts.object("frontend"), silence = try description.facts.object("silence")
        size = try shape.int("samples")
        hop = try shape.int("hop")
        step = try shape.int("step")
        mels = try shape.int("mels")
        seen = try shape.int("frames")
        count = try shape.int("embeddings")
        silentFrame = Float(try silence.double("frame"))
        silentEmbedding = try silence.floats("embedding")
        reset()
    }

    func look(_ window: [Float]) async throws -> [Int] {
        let new = try await frontend.run(["audio": Values(window, [1, window.count])], giving: "frames").floats()
        let all = frames + new
        frames = Array(all.dropFirst(step * mels))
        let looked = Values(Array(all.prefix(seen * mels)), [1, seen, mels])
        let made = try await embedding.run(["window": looked], giving: "embedding").floats()
        let many = embeddings + made
        embeddings = Array(many.dropFirst(made.count))
        let logits = try await head.run(["embeddings": Values(many, [1, count, made.count])], giving: "logits").floats()
        return [Int(min(255, 256 * Self.probability(logits)))]
    }

    /// Logits of the listener and of the checker, to the probability that the phrase was said.
    private static func probability(_ logits: [Float]) -> Double {
        let decisive = Double(logits[0] < 0 ? logits[0] : logits[1])
        return decisive > -700 ? 1 / (1 + exp(-decisive)) : 0
    }

    func reset() {
        // One call's frames more than an embedding looks at do not fit, so the newest few wait for the next call.
        let held = (seen + step - 1) / step * step - step
        frames = Array(repeating: silentFrame, count: held * mels)
        embeddings = (0..<count - 1).flatMap { _ in silentEmbedding }
    }
}
