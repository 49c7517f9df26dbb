// What our packages use of this module of Core AI's, with the signatures that Apple documents (a test compares their
// identifiers). A function is computed by Apple's own runtime for Linux, if COREAI_ANSWERS names the program that asks it.

import Foundation

public struct AIModel: Sendable {
    public let file: String

    public init(file: String) { self.file = file }
}

public struct NDArray: Sendable {
    public struct InterleaveLayout: Sendable {}

    public let shape: [Int]
    public let strides: [Int]
    public var interleaveLayout: InterleaveLayout? { nil }
    let type: String
    let bytes: Data

    public init<Scalar: BitwiseCopyable>(scalars: some Sequence<Scalar>, shape: [Int]) {
        let values = Array(scalars)
        precondition(values.count == shape.reduce(1, *))
        let size = MemoryLayout<Scalar>.size
        self.init(shape, "\(Scalar.self)", values.withUnsafeBytes { Data($0) }, size: size)
    }

    /// The first axis lies closest together, as no caller may rely on another.
    init(_ shape: [Int], _ type: String, _ rows: Data, size: Int) {
        self.shape = shape
        self.type = type
        strides = shape.indices.map { shape[..<$0].reduce(1, *) }
        var turned = Data(count: rows.count), place = shape.map { _ in 0 }
        for row in 0..<rows.count / size {
            let offset = zip(place, strides).map { $0 * $1 }.reduce(0, +) * size
            turned.replaceSubrange(offset..<offset + size, with: rows[row * size..<(row + 1) * size])
            for axis in shape.indices.reversed() {
                place[axis] += 1
                if place[axis] < shape[axis] { break }
                place[axis] = 0
            }
        }
        bytes = turned
    }

    public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> {
        precondition("\(T.self)" == self.type, "values of \(self.type) were read as \(T.self)")
        return View(array: self)
    }

    public struct View<Element: BitwiseCopyable> {
        let array: NDArray

        // The shape and the strides are a Span, which this compiler does not have yet.
        public func withUnsafePointer<R, E: Error>(
            _ body: (UnsafePointer<Element>, [Int], [Int]) throws(E) -> R
        ) throws(E) -> R {
            let values = array.bytes.withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
            let room = UnsafeMutablePointer<Element>.allocate(capacity: max(1, values.count))
            defer { room.deallocate() }
            room.initialize(from: values, count: values.count)
            return try body(UnsafePointer(room), array.shape, array.strides)
        }
    }
}

public struct InferenceValue: ~Copyable {
    let held: NDArray

    public var ndArray: NDArray? { held }
}

public struct InferenceFunction: Sendable {
    let file: String

    public init(file: String) { self.file = file }

    public struct MutableViews: ~Copyable {
        public init() {}
    }

    public struct Outputs: ~Copyable {
        var held: [String: NDArray]

        public mutating func remove(_ outputName: String) -> InferenceValue? {
            guard let array = held.removeValue(forKey: outputName) else { return nil }
            return InferenceValue(held: array)
        }
    }

    public func run(
        inputs: [String: NDArray], states: consuming MutableViews = MutableViews(),
        outputViews: consuming MutableViews = MutableViews()
    ) async throws -> Outputs {
        Outputs(held: try Answers.shared.answer(file, inputs))
    }
}

/// The process of Apple's runtime. A question and an answer are a line of JSON each.
private final class Answers: @unchecked Sendable {
    struct Refused: LocalizedError {
        let errorDescription: String?
    }

    static let shared = Answers()
    private let lock = NSLock(), process = Process(), ask = Pipe(), say = Pipe()
    private var open = false

    func answer(_ file: String, _ inputs: [String: NDArray]) throws -> [String: NDArray] {
        lock.lock()
        defer { lock.unlock() }
        if !open {
            guard let program = ProcessInfo.processInfo.environment["COREAI_ANSWERS"] else { fatalError("a stub") }
            process.executableURL = URL(fileURLWithPath: program)
            (process.standardInput, process.standardOutput) = (ask, say)
            try process.run()
            open = true
        }
        let arrays = inputs.mapValues {
            ["type": $0.type, "shape": $0.shape, "values": $0.bytes.base64EncodedString()] as [String: Any]
        }
        var line = try JSONSerialization.data(withJSONObject: ["file": file, "inputs": arrays])
        line.append(10)
        ask.fileHandleForWriting.write(line)
        var said = Data()
        while said.last != 10 {
            let more = say.fileHandleForReading.availableData
            if more.isEmpty { throw Refused(errorDescription: "the process has ended") }
            said.append(more)
        }
        let answer = try JSONSerialization.jsonObject(with: said) as! [String: Any]
        if let why = answer["refused"] as? String { throw Refused(errorDescription: why) }
        return (answer["outputs"] as! [String: [String: Any]]).mapValues {
            let bytes = Data(base64Encoded: $0["values"] as! String)!, shape = ($0["shape"] as! [Any]).map { ($0 as! NSNumber).intValue }
            return NDArray(shape, $0["type"] as! String, bytes, size: bytes.count / max(1, shape.reduce(1, *)))
        }
    }
}
