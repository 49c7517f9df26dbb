import Foundation

/// A policy without state: from what a robot's sensors say to what its motors do, a step at a time.
struct PolicySteering: TaskLoop {
    private let network: any Graph
    private let input, output: Description.Spec
    private let limit: Float

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let part = try description.part("network")
        guard let network = parts["network"], let input = part.inputs.first, let output = part.outputs.first,
            input.shape.count == 2, output.shape.count == 2
        else { throw ModelError.damaged("the network does not take an observation and give an action") }
        (self.network, self.input, self.output) = (network, input, output)
        limit = Float(try description.facts.double("limit"))
    }

    /// Numbers of an observation, and of an action.
    var observations: Int { input.shape[1] }
    var actions: Int { output.shape[1] }

    /// The action for an observation, as the network gives it: motors clip what is beyond the limit.
    ///
    /// - Throws: `ModelError.badInput`: an observation of another size, or numbers that are not finite.
    func act(_ observation: [Float]) async throws -> [Float] {
        guard observation.count == observations else {
            throw ModelError.badInput("an observation has \(observation.count) numbers; this robot's has \(observations)")
        }
        guard observation.allSatisfy(\.isFinite) else {
            throw ModelError.badInput("an observation holds a number that is not finite")
        }
        try Task.checkCancellation()
        return try await network.run([input.name: Values(observation, [1, observations])], giving: output.name).floats()
    }

    /// An action within the limit, as motors take it.
    func applied(_ action: [Float]) -> [Float] { action.map { max(-limit, min(limit, $0)) } }

    /// The last applied action for rows of observations.
    func answer(_ golden: GoldenInput) async throws -> String {
        let rows = try golden.input("numbers").floats()
        var action: [Float] = []
        for at in stride(from: 0, to: rows.count, by: observations) {
            action = applied(try await act(Array(rows[at..<min(at + observations, rows.count)])))
        }
        return action.map { String(format: "%+.2f", Double($0)) }.joined(separator: " ")
    }
}
