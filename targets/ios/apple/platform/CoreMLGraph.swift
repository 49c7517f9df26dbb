#if canImport(CoreML)
    import CoreML
    import Foundation

    /// A part of the model, run by Core ML.
    final class CoreMLGraph: Graph {
        private let model: MLModel
        private let part: Description.Part

        /// - Throws: `ModelError.refused`: Core ML does not take the part.
        init(_ part: Description.Part, compiled: URL, configuration: MLModelConfiguration) async throws {
            self.part = part
            do {
                model = try await MLModel.load(contentsOf: compiled, configuration: configuration)
            } catch {
                throw ModelError.refused("Core ML refuses \(part.file): \(error.localizedDescription)")
            }
        }

        func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor] {
            let features = try MLDictionaryFeatureProvider(
                dictionary: inputs.mapValues { MLFeatureValue(multiArray: try array($0)) })
            let made = try await predicted(features)
            var outputs: [String: any Tensor] = [:]
            for spec in part.outputs {
                guard let array = made.featureValue(for: spec.name)?.multiArrayValue else {
                    throw ModelError.damaged("\(part.file) gives no \(spec.name)")
                }
                outputs[spec.name] = Kept(array, spec)
            }
            return outputs
        }

        /// Before iOS 17 Core ML has no call that waits without holding its thread.
        private func predicted(_ features: MLDictionaryFeatureProvider) async throws -> any MLFeatureProvider {
            do {
                if #available(iOS 17, macOS 14, *) {
                    return try await model.prediction(from: features)
                }
                return try predictedHere(features)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                throw ModelError.refused("Core ML cannot run \(part.file): \(error.localizedDescription)")
            }
        }

        private func predictedHere(_ features: MLDictionaryFeatureProvider) throws -> any MLFeatureProvider {
            try model.prediction(from: features)
        }

        /// Core ML knows float32 and int32 where our parts have bytes and int64.
        private func array(_ tensor: any Tensor) throws -> MLMultiArray {
            if let kept = tensor as? Kept {
                return kept.array
            }
            switch tensor.type {
            case .float32:
                return MLMultiArray(MLShapedArray(scalars: try tensor.floats(), shape: tensor.shape))
            case .int64:
                return MLMultiArray(MLShapedArray(scalars: try tensor.longs().map(Int32.init), shape: tensor.shape))
            case .uint8:
                return MLMultiArray(MLShapedArray(scalars: try tensor.bytes().map(Int32.init), shape: tensor.shape))
            case .int32:
                return MLMultiArray(MLShapedArray(scalars: try tensor.ints(), shape: tensor.shape))
            case .bool:
                return MLMultiArray(MLShapedArray(scalars: try tensor.bytes().map(Int32.init), shape: tensor.shape))
            case .int8:
                let values = try tensor.bytes().map { Int32(Int8(bitPattern: $0)) }
                return MLMultiArray(MLShapedArray(scalars: values, shape: tensor.shape))
            }
        }

        /// An output, as Core ML keeps it: it can go into the next call as it is, since all that our packages take and
        /// give in fractions is float32. Whole numbers have 32 bits here; the bundle says which type they stand for.
        private final class Kept: Tensor {
            let array: MLMultiArray
            let type: TensorType

            init(_ array: MLMultiArray, _ spec: Description.Spec) {
                self.array = array
                type = TensorType.named[spec.type] ?? .float32
            }

            var shape: [Int] { array.shape.map(\.intValue) }
            func floats() throws -> [Float] { MLShapedArray<Float>(converting: array).scalars }
            func longs() throws -> [Int64] { try ints().map(Int64.init) }
            func ints() throws -> [Int32] { MLShapedArray<Int32>(converting: array).scalars }
            func bytes() throws -> [UInt8] { try ints().map { UInt8(truncatingIfNeeded: $0) } }
        }
    }
#endif
