#if canImport(CoreAI)
    import CoreAI
    import Foundation

    /// A part of the model, run by Core AI.
    final class CoreAIGraph: Graph {
        private let function: InferenceFunction
        private let part: Description.Part

        /// All parts, as the system prepares them for this device. It keeps what it prepared for later launches.
        static func parts(_ files: ModelFiles, _ options: SpecializationOptions) async throws -> [String: any Graph] {
            var graphs: [String: any Graph] = [:]
            for part in files.description.parts {
                try Task.checkCancellation()
                graphs[part.name] = try await CoreAIGraph(part, files.folder.appendingPathComponent(part.file), options)
            }
            return graphs
        }

        /// - Throws: `ModelError.refused`: Core AI does not take the part.
        private init(_ part: Description.Part, _ file: URL, _ options: SpecializationOptions) async throws {
            self.part = part
            do {
                let model = try await AIModel(contentsOf: file, options: options)
                guard let main = try model.loadFunction(named: "main") else {
                    throw ModelError.damaged("\(part.file) has no function")
                }
                function = main
            } catch {
                throw CoreAIGraph.refusal(error, "Core AI refuses \(part.file)")
            }
        }

        func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor] {
            let arrays = try inputs.mapValues(array)
            do {
                var made = try await function.run(inputs: arrays)
                var outputs: [String: any Tensor] = [:]
                for spec in part.outputs {
                    guard let array = made.remove(spec.name)?.ndArray else {
                        throw ModelError.damaged("\(part.file) gives no \(spec.name)")
                    }
                    outputs[spec.name] = Kept(array, spec)
                }
                return outputs
            } catch {
                throw CoreAIGraph.refusal(error, "Core AI cannot run \(part.file)")
            }
        }

        /// Core AI's own errors say what could not be done.
        private static func refusal(_ error: any Error, _ what: String) -> any Error {
            let ours = error is ModelError || error is CancellationError
            return ours ? error : ModelError.refused("\(what): \(error.localizedDescription)")
        }

        /// Our assets take whole numbers of 32 bits where the part has 64.
        private func array(_ tensor: any Tensor) throws -> NDArray {
            if let kept = tensor as? Kept {
                return kept.array
            }
            switch tensor.type {
            case .float32: return NDArray(scalars: try tensor.floats(), shape: tensor.shape)
            case .int64: return NDArray(scalars: try tensor.longs().map(Int32.init), shape: tensor.shape)
            case .int32: return NDArray(scalars: try tensor.ints(), shape: tensor.shape)
            case .uint8: return NDArray(scalars: try tensor.bytes(), shape: tensor.shape)
            case .int8: return NDArray(scalars: try tensor.bytes().map(Int8.init(bitPattern:)), shape: tensor.shape)
            case .bool: return NDArray(scalars: try tensor.bytes().map { $0 != 0 }, shape: tensor.shape)
            }
        }

        /// An output, as Core AI keeps it: it can go into the next call as it is. The bundle says which type its values
        /// stand for.
        private final class Kept: Tensor {
            let array: NDArray
            let type: TensorType

            init(_ array: NDArray, _ spec: Description.Spec) {
                self.array = array
                type = TensorType.named[spec.type] ?? .float32
            }

            var shape: [Int] { array.shape }
            func floats() throws -> [Float] { try values() }
            func longs() throws -> [Int64] { try ints().map(Int64.init) }
            func ints() throws -> [Int32] { try values() }

            func bytes() throws -> [UInt8] {
                switch type {
                case .bool: return try (values() as [Bool]).map { $0 ? 1 : 0 }
                case .int8: return try (values() as [Int8]).map(UInt8.init(bitPattern:))
                default: return try values()
                }
            }

            /// Row by row, however far apart Core AI has laid them.
            private func values<Scalar: BitwiseCopyable>() throws -> [Scalar] {
                guard array.interleaveLayout == nil else {
                    throw ModelError.refused("Core AI gives values that are interleaved, which no loop reads")
                }
                let shape = array.shape, count = shape.reduce(1, *)
                return array.view(as: Scalar.self).withUnsafePointer { first, _, strides in
                    var made: [Scalar] = [], place = shape.map { _ in 0 }, offset = 0
                    made.reserveCapacity(count)
                    for _ in 0..<count {
                        made.append(first[offset])
                        for axis in shape.indices.reversed() {
                            place[axis] += 1
                            offset += strides[axis]
                            if place[axis] < shape[axis] { break }
                            offset -= place[axis] * strides[axis]
                            place[axis] = 0
                        }
                    }
                    return made
                }
            }
        }
    }
#endif
