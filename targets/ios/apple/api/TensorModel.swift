import Foundation

/// Tensors in, tensors out, by their names. Calls may come from any task: they are answered one at a time.
public final class TensorModel: Sendable {
    private let model: Opened<TensorChain>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// What `run` takes, and what it gives.
    public var inputs: [TensorSpec] { model.loop.inputs }
    public var outputs: [TensorSpec] { model.loop.outputs }

    /// The outputs by name.
    ///
    /// - Parameter tensors: every one of `inputs`, in its type and shape: `Values(values, [1, 3])`.
    /// - Throws: `ModelError.badInput`: a tensor is missing, not asked for, or of another type or shape. `ModelError`,
    ///   `CancellationError`.
    public func run(_ tensors: [String: Values]) async throws -> [String: Values] {
        try await model.use { loop in try await loop.run(tensors) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
