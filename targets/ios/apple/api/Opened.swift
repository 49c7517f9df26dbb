/// The parts of a model and its task's loop over them. Calls may come from any task: they are answered one at a time.
final class Opened<Loop: TaskLoop>: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let turns = Turns()
    /// Outside of `use` for what never changes.
    let loop: Loop

    init(_ files: ModelFiles, _ parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try Loop(parts, files.description)
    }

    func use<T: Sendable>(_ work: @Sendable (Loop) async throws -> T) async throws -> T {
        try await turns.take { [self] in try await work(loop) }
    }

    /// Does this device compute what the fp32 reference computed?
    func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let golden = try files.goldenInput()
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                try await Loop(watched, files.description).answer(golden)
            }
        }
    }
}
