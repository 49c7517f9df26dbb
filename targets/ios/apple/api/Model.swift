import Foundation

/// What is in the package: its description, its golden vectors, and the place of its parts.
struct ModelFiles {
    let folder: URL
    let description: Description

    /// The resources of this package.
    static func bundled() throws -> ModelFiles {
        guard let folder = Bundle.module.url(forResource: "Model", withExtension: nil) else {
            throw ModelError.damaged("the package has lost its resources")
        }
        return try ModelFiles(folder: folder)
    }

    init(folder: URL) throws {
        self.folder = folder
        description = try Description(json: ModelFiles.content(of: "model.json", in: folder))
    }

    func data(_ name: String) throws -> Data { try ModelFiles.content(of: name, in: folder) }

    private static func content(of name: String, in folder: URL) throws -> Data {
        do {
            return try Data(contentsOf: folder.appendingPathComponent(name), options: .mappedIfSafe)
        } catch {
            throw ModelError.damaged("\(name) cannot be read: \(error.localizedDescription)")
        }
    }

    /// The golden input: its only tensor.
    func goldenInput() throws -> any Tensor {
        guard let input = try Vectors.read(data("golden/input.bin"), of: "golden/input.bin").first else {
            throw ModelError.damaged("there is no golden input")
        }
        return input.value
    }

    /// "PART/CALL/OUTPUT" to what the fp32 reference computed.
    func goldenReference() throws -> [String: any Tensor] {
        try Vectors.read(data("golden/reference.bin"), of: "golden/reference.bin")
    }
}

/// Lets one call in at a time, in the order in which they came: an actor alone would let a second call in while the first
/// waits for the runtime. The work stays in the caller's task, with its priority; a call that is cancelled while it waits
/// leaves at once.
actor Turns {
    private var taken = false
    private var waiting: [(ticket: Int, turn: CheckedContinuation<Void, any Error>)] = []
    private var tickets = 0

    func take<T: Sendable>(_ work: @Sendable () async throws -> T) async throws -> T {
        try await enter()
        defer { leave() }
        try Task.checkCancellation()
        return try await work()
    }

    private func enter() async throws {
        guard taken else {
            taken = true
            return
        }
        let ticket = tickets
        tickets += 1
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (turn: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    turn.resume(throwing: CancellationError())
                } else {
                    waiting.append((ticket, turn))
                }
            }
        } onCancel: {
            Task { await self.giveUp(ticket) }
        }
    }

    private func giveUp(_ ticket: Int) {
        if let at = waiting.firstIndex(where: { $0.ticket == ticket }) {
            waiting.remove(at: at).turn.resume(throwing: CancellationError())
        }
    }

    /// The turn is handed over, not set free, so that nobody who comes now is faster than those who wait.
    private func leave() {
        if waiting.isEmpty {
            taken = false
        } else {
            waiting.removeFirst().turn.resume()
        }
    }
}
