import Foundation

/// From what a robot's sensors say to what its motors do, a step at a time. Calls are answered one at a time.
public final class Policy: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: PolicySteering
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try PolicySteering(parts, files.description)
    }

    /// Numbers of an observation, and of an action.
    public var observations: Int { loop.observations }
    public var actions: Int { loop.actions }

    /// The action for an observation: as the network gives it, and within the limit that the motors follow.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func act(_ observation: [Float]) async throws -> (action: [Float], applied: [Float]) {
        try await turns.take { [self] in
            let action = try await loop.act(observation)
            return (action, loop.applied(action))
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let rows = try files.goldenInput().floats()
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                try await PolicySteering(watched, files.description).last(of: rows)
            }
        }
    }
}
