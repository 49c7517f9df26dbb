import Foundation

/// Tensors by name in a file or pipe, little-endian: the magic number, uint32 calls (one); uint32 tensors; for each
/// uint32 length of its name, the name, uint32 type (ONNX's number), uint32 axes, int64 sizes, uint64 bytes, the values.
enum Vectors {
    private static let magic: UInt32 = 0x3143_4B45
    private static let numbers: [UInt32: TensorType] = [
        1: .float32, 2: .uint8, 3: .int8, 6: .int32, 7: .int64, 9: .bool,
    ]
    private static let most = 1 << 32

    /// Reads one call's tensors, in the order of the file; `take` gives exactly so many bytes or throws.
    static func read(_ take: (Int) throws -> Data) throws -> [(String, any Tensor)] {
        func number<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
            try take(MemoryLayout<T>.size).withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
        }
        func size() throws -> Int {
            let size = try number(UInt64.self)
            guard size < most else { throw ModelError.damaged("a size that no tensor has") }
            return Int(size)
        }
        guard try number(UInt32.self) == magic, try number(UInt32.self) == 1 else {
            throw ModelError.damaged("these are no recorded tensors")
        }
        return try (0..<number(UInt32.self)).map { _ in
            let name = String(decoding: try take(Int(number(UInt32.self))), as: UTF8.self)
            guard let type = numbers[try number(UInt32.self)] else {
                throw ModelError.damaged("the tensor \(name) has an unknown type")
            }
            let shape = try (0..<number(UInt32.self)).map { _ in try size() }
            let content = try take(size())
            let widths: [TensorType: Int] = [.float32: 4, .int64: 8, .int32: 4, .uint8: 1, .int8: 1, .bool: 1]
            guard content.count == shape.reduce(widths[type]!, { $0 * $1 }) else {
                throw ModelError.damaged("the tensor \(name) is cut off")
            }
            return (name, values(type, content, shape))
        }
    }

    /// The tensors in the content of the file `name`.
    static func read(_ content: Data, of name: String) throws -> [String: any Tensor] {
        var at = content.startIndex
        let tensors = try read { count in
            guard count <= content.endIndex - at else { throw ModelError.damaged("\(name) is cut off") }
            at += count
            return content.subdata(in: at - count..<at)
        }
        return Dictionary(tensors) { first, _ in first }
    }

    /// The bytes of one call's tensors.
    static func data(_ tensors: [(String, any Tensor)]) throws -> Data {
        var out = Data()
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
        }
        put(magic)
        put(UInt32(1))
        put(UInt32(tensors.count))
        for (name, tensor) in tensors {
            let type = numbers.first { $0.value == tensor.type }!.key
            let content = try bytes(tensor)
            put(UInt32(name.utf8.count))
            out.append(contentsOf: name.utf8)
            put(type)
            put(UInt32(tensor.shape.count))
            tensor.shape.forEach { put(Int64($0)) }
            put(UInt64(content.count))
            out.append(content)
        }
        return out
    }

    private static func values(_ type: TensorType, _ content: Data, _ shape: [Int]) -> any Tensor {
        func array<T>(_ empty: T) -> [T] {
            var made = [T](repeating: empty, count: content.count / MemoryLayout<T>.stride)
            _ = made.withUnsafeMutableBytes { content.copyBytes(to: $0) }
            return made
        }
        switch type {
        case .float32: return Values(array(Float(0)), shape)
        case .int64: return Values(array(Int64(0)), shape)
        case .int32: return Values(array(Int32(0)), shape)
        case .bool: return Values(array(UInt8(0)).map { $0 != 0 }, shape)
        case .uint8: return Values(array(UInt8(0)), shape)
        case .int8: return Values(array(UInt8(0)), shape, signed: true)
        }
    }

    private static func bytes(_ tensor: any Tensor) throws -> Data {
        switch tensor.type {
        case .float32: return try tensor.floats().withUnsafeBytes { Data($0) }
        case .int64: return try tensor.longs().withUnsafeBytes { Data($0) }
        case .int32: return try tensor.ints().withUnsafeBytes { Data($0) }
        case .uint8, .int8, .bool: return try Data(tensor.bytes())
        }
    }
}
