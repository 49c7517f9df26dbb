import Foundation

@testable import EdgekitModel

/// The other end of tests/_peer.py: a Python process that runs the parts of a real bundle, and keeps what they give.
final class Peer: @unchecked Sendable {
    static let one = Peer()
    private let input = FileHandle.standardInput, output = FileHandle.standardOutput
    private let lock = NSLock()
    /// Tensors that were given and are still held: a loop that ends leaves none.
    private(set) var open = 0
    /// After so many more runs of a part, what cancels the work.
    var cancel: (after: Int, call: () -> Void)?

    func receive() throws -> [(String, any Tensor)] {
        try Vectors.read { count in
            var found = Data()
            while found.count < count {
                guard let more = try input.read(upToCount: count - found.count), !more.isEmpty else {
                    throw CocoaError(.fileReadUnknown)
                }
                found.append(more)
            }
            return found
        }
    }

    func send(_ verb: String, _ tensors: [(String, any Tensor)]) throws {
        let data = try Vectors.data([("!" + verb, Values([Int64](), [0]))] + tensors)
        lock.lock()
        defer { lock.unlock() }
        try output.write(contentsOf: data)
    }

    final class Part: Graph {
        let name: String

        init(_ name: String) {
            self.name = name
        }

        func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor] {
            if let (after, call) = Peer.one.cancel {
                Peer.one.cancel = (after - 1, call)
                if after <= 0 {
                    call()
                }
            }
            let given = inputs.map { name, tensor -> (String, any Tensor) in
                (tensor as? Kept).map { ("@" + name, $0.handle) } ?? (name, tensor)
            }
            try Peer.one.send("run " + name, given)
            let told = try Peer.one.receive()
            Peer.one.open += told.count
            return Dictionary(
                uniqueKeysWithValues: try told.map { name, tensor in (name, Kept(try tensor.longs().map(Int.init))) })
        }
    }

    /// A tensor that Python holds.
    final class Kept: Tensor {
        private let number: Int
        let type: TensorType
        let shape: [Int]
        private var values: (any Tensor)?

        init(_ told: [Int]) {
            number = told[0]
            type = TensorType(rawValue: told[1])!
            shape = Array(told.dropFirst(2))
        }

        var handle: any Tensor { Values([Int64(number)], [1]) }

        private func fetched() throws -> any Tensor {
            if values == nil {
                try Peer.one.send("get", [("@values", handle)])
                values = try Peer.one.receive()[0].1
            }
            return values!
        }

        func floats() throws -> [Float] { try fetched().floats() }
        func longs() throws -> [Int64] { try fetched().longs() }
        func ints() throws -> [Int32] { try fetched().ints() }
        func bytes() throws -> [UInt8] { try fetched().bytes() }

        deinit {
            try? Peer.one.send("free", [("@values", handle)])
            Peer.one.open -= 1
        }
    }
}
