import Foundation

/// From what a robot's sensors say to what its motors do, a step at a time. Calls are answered one at a time.
public final class Policy: Sendable {
    private let model: Opened<PolicySteering>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Numbers of an observation, and of an action.
    public var observations: Int { model.loop.observations }
    public var actions: Int { model.loop.actions }

    /// The action for an observation: as the network gives it, and within the limit that the motors follow.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func act(_ observation: [Float]) async throws -> (action: [Float], applied: [Float]) {
        try await model.use { loop in
            let action = try await loop.act(observation)
            return (action, loop.applied(action))
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
