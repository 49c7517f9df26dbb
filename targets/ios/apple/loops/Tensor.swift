import Foundation

/// The type of a tensor's values.
public enum TensorType: Int, Sendable {
    case float32, int64, uint8, int8
}

/// Values of one input or output of a graph, row by row. A runtime may keep them in its own memory (caches, encoder
/// states) and take them back in the next call: the loops only ask for values that they look at.
public protocol Tensor: AnyObject {
    var type: TensorType { get }
    var shape: [Int] { get }
    /// Of float32 only.
    func floats() throws -> [Float]
    /// Of int64 only.
    func longs() throws -> [Int64]
    /// Of uint8 and int8 only, as they lie in memory.
    func bytes() throws -> [UInt8]
}

extension Tensor {
    var count: Int { shape.reduce(1, *) }
}

/// A tensor in the app's own memory.
public final class Values: Tensor {
    private enum Store {
        case floats([Float]), longs([Int64]), bytes([UInt8], signed: Bool)
    }

    private let store: Store
    public let shape: [Int]

    public init(_ values: [Float], _ shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .floats(values)
        self.shape = shape
    }

    public init(_ values: [Int64], _ shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .longs(values)
        self.shape = shape
    }

    public init(_ values: [UInt8], _ shape: [Int], signed: Bool = false) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .bytes(values, signed: signed)
        self.shape = shape
    }

    public var type: TensorType {
        switch store {
        case .floats: return .float32
        case .longs: return .int64
        case .bytes(_, let signed): return signed ? .int8 : .uint8
        }
    }

    public func floats() throws -> [Float] {
        guard case .floats(let values) = store else { throw ModelError.damaged("a tensor of float32 was expected") }
        return values
    }

    public func longs() throws -> [Int64] {
        guard case .longs(let values) = store else { throw ModelError.damaged("a tensor of int64 was expected") }
        return values
    }

    public func bytes() throws -> [UInt8] {
        guard case .bytes(let values, _) = store else { throw ModelError.damaged("a tensor of bytes was expected") }
        return values
    }
}

/// One part of the model, loaded by a runtime.
public protocol Graph: AnyObject {
    func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor]
}

extension Graph {
    /// The output `name`. Throws where the graph has none of that name.
    func run(_ inputs: [String: any Tensor], giving name: String) async throws -> any Tensor {
        guard let made = try await run(inputs)[name] else { throw ModelError.damaged("a graph gives no \(name)") }
        return made
    }
}
