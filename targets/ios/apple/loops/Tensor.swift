import Foundation

/// The type of a tensor's values.
public enum TensorType: Int, Sendable {
    case float32, int64, uint8, int8, int32, bool

    /// By the names that a bundle has for them.
    static let named: [String: TensorType] = Dictionary(
        uniqueKeysWithValues: [.float32, .int64, .uint8, .int8, .int32, .bool].map { ("\($0)", $0) })
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
    /// Of int32 only.
    func ints() throws -> [Int32]
    /// Of uint8, int8 and bool only, as they lie in memory.
    func bytes() throws -> [UInt8]
}

extension Tensor {
    var count: Int { shape.reduce(1, *) }

    /// The same in the app's own memory.
    func copy() throws -> Values {
        switch type {
        case .float32: return Values(try floats(), shape)
        case .int64: return Values(try longs(), shape)
        case .int32: return Values(try ints(), shape)
        case .uint8, .int8: return Values(try bytes(), shape, signed: type == .int8)
        case .bool: return Values(try bytes().map { $0 != 0 }, shape)
        }
    }
}

/// A tensor in the app's own memory.
public final class Values: Tensor, Sendable {
    private enum Store {
        case floats([Float]), longs([Int64]), ints([Int32]), bytes([UInt8], TensorType)
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

    public init(_ values: [Int32], _ shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .ints(values)
        self.shape = shape
    }

    public init(_ values: [UInt8], _ shape: [Int], signed: Bool = false) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .bytes(values, signed ? .int8 : .uint8)
        self.shape = shape
    }

    public init(_ values: [Bool], _ shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "values do not fill the shape")
        store = .bytes(values.map { $0 ? 1 : 0 }, .bool)
        self.shape = shape
    }

    public var type: TensorType {
        switch store {
        case .floats: return .float32
        case .longs: return .int64
        case .ints: return .int32
        case .bytes(_, let type): return type
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

    public func ints() throws -> [Int32] {
        guard case .ints(let values) = store else { throw ModelError.damaged("a tensor of int32 was expected") }
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
