import Foundation

/// The self-test's result: does this device compute what the fp32 reference computed?
public struct SelfTestReport: Sendable {
    /// Part to its distance from the reference: relative, root mean square. Infinite where outputs are missing.
    public let errors: [String: Double]
    /// Part to the largest distance that its precision, and what was measured at the export, explain.
    public let limits: [String: Double]
    /// The answer to the golden input, and what it should be.
    public let answer, expected: String

    /// Whether every part is near enough. The answer may differ: other kernels round otherwise.
    public var passed: Bool { !errors.isEmpty && errors.allSatisfy { $1 <= limits[$0] ?? -1 } }
}

/// The golden input goes through the whole model; the outputs of the first calls of every part are sampled and compared
/// with what was recorded when the bundle was made.
enum SelfTest {
    /// Calls that are compared, and the most values of an output that were kept.
    private static let calls = 2, kept = 2048

    /// - Parameters:
    ///   - reference: "PART/CALL/OUTPUT" to the sampled values of the fp32 reference.
    ///   - answer: answers the golden input through these graphs.
    static func run(
        _ parts: [String: any Graph], _ reference: [String: any Tensor], _ description: Description,
        _ answer: ([String: any Graph]) async throws -> String
    ) async throws -> SelfTestReport {
        let watched = parts.mapValues(Recorder.init)
        let said = try await answer(watched)
        var errors: [String: Double] = [:]
        for (part, recorder) in watched {
            let wanted = reference.filter { $0.key.hasPrefix(part + "/") }
            errors[part] = wanted.isEmpty ? .infinity : 0
            for (name, expected) in wanted {
                let values = recorder.seen[String(name.dropFirst(part.count + 1))] ?? []
                errors[part] = max(errors[part]!, distance(values, try expected.floats()))
            }
        }
        return SelfTestReport(errors: errors, limits: description.limits, answer: said, expected: description.answer)
    }

    /// Root mean square of the difference, relative to that of the reference. A NaN must never compare as small.
    private static func distance(_ values: [Float], _ expected: [Float]) -> Double {
        guard values.count == expected.count else { return .infinity }
        var off = 0.0, size = 0.0
        for (value, truth) in zip(values, expected) {
            off += (Double(value) - Double(truth)) * (Double(value) - Double(truth))
            size += Double(truth) * Double(truth)
        }
        let error = off.squareRoot() / (size > 0 ? size.squareRoot() : 1)
        return error.isNaN ? .infinity : error
    }

    /// A graph that remembers sampled outputs of its first calls: "CALL/OUTPUT".
    private final class Recorder: Graph {
        private let graph: any Graph
        private var done = 0
        var seen: [String: [Float]] = [:]

        init(_ graph: any Graph) {
            self.graph = graph
        }

        func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor] {
            let outputs = try await graph.run(inputs)
            if done < SelfTest.calls {
                for (name, tensor) in outputs {
                    seen["\(done)/\(name)"] = try SelfTest.sampled(tensor)
                }
            }
            done += 1
            return outputs
        }
    }

    private static func sampled(_ tensor: any Tensor) throws -> [Float] {
        let all: [Float]
        switch tensor.type {
        case .float32: all = try tensor.floats()
        case .int64: all = try tensor.longs().map(Float.init)
        case .int32: all = try tensor.ints().map(Float.init)
        case .uint8, .bool: all = try tensor.bytes().map(Float.init)
        case .int8: all = try tensor.bytes().map { Float(Int8(bitPattern: $0)) }
        }
        return stride(from: 0, to: all.count, by: max(1, (all.count + kept - 1) / kept)).map { all[$0] }
    }
}
