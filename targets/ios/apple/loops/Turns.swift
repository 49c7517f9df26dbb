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
