let policy = try await Policy()
let motors = try await policy.act(observation).applied // [Float], policy.observations numbers
