import Foundation

/// A streaming detector of speech: it takes samples in pieces, keeps its state between them, and gives a probability of
/// speech for every frame. The answers do not depend on where the sound was cut.
struct SpeechListener {
    /// Samples of a frame; the network sees those of the context before it, too.
    let hop: Int
    private let context: Int
    private let network: any Graph
    /// Input to the output that is its next value.
    private let next: [String: String]
    private var states: [String: any Tensor] = [:]
    private var held: [Float]

    /// - Parameter facts: "detector" of the bundle's facts.
    init(_ network: any Graph, _ part: Description.Part, _ facts: Facts) throws {
        self.network = network
        hop = try facts.int("hop")
        context = try facts.int("context")
        next = try facts.value("states")
        held = [Float](repeating: 0, count: context)
        for spec in part.inputs where next[spec.name] != nil {
            states[spec.name] = Values([Float](repeating: 0, count: spec.shape.reduce(1, *)), spec.shape)
        }
    }

    /// The probabilities of the frames that `samples` complete.
    mutating func push(_ samples: [Float]) async throws -> [Double] {
        let all = held + samples
        var heard: [Double] = [], start = 0
        while all.count - start >= context + hop {
            try Task.checkCancellation()
            heard.append(try await probability(Array(all[start..<start + context + hop])))
            start += hop
        }
        held = Array(all[start...])
        return heard
    }

    /// The probability of the last frame, filled with zeros; nothing if no samples are left.
    mutating func finish() async throws -> [Double] {
        let left = held.count - context
        return left == 0 ? [] : try await push([Float](repeating: 0, count: hop - left))
    }

    private mutating func probability(_ window: [Float]) async throws -> Double {
        var feeds = states
        feeds["audio"] = Values(window, [1, window.count])
        let made = try await network.run(feeds)
        for (name, after) in next {
            states[name] = made[after]
        }
        guard let heard = try made["probability"]?.floats().first, states.count == next.count else {
            throw ModelError.damaged("the detector of speech gives no probability or state")
        }
        return Double(heard)
    }
}
