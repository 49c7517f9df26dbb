// What our packages use of Core ML, with the signatures that Apple documents, so that the compiler reads on Linux too what
// stands under `#if canImport(CoreML)`. Nothing here computes.

import Foundation

public enum MLComputeUnits: Int, Sendable {
    case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine
}

open class MLModelConfiguration {
    open var computeUnits: MLComputeUnits = .all

    public init() {}
}

public protocol MLShapedArrayScalar {}

extension Float: MLShapedArrayScalar {}
extension Int32: MLShapedArrayScalar {}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
    public let scalars: [Scalar]
    public let shape: [Int]

    public init<S: Sequence>(scalars: S, shape: [Int]) where S.Element == Scalar {
        self.scalars = Array(scalars)
        self.shape = shape
    }

    public init(converting array: MLMultiArray) { fatalError("a stub") }
}

open class MLMultiArray {
    open var shape: [NSNumber] { fatalError("a stub") }

    public init<Scalar: MLShapedArrayScalar>(_ values: MLShapedArray<Scalar>) {}
}

open class MLFeatureValue {
    open var multiArrayValue: MLMultiArray? { nil }

    public init(multiArray value: MLMultiArray) {}
}

public protocol MLFeatureProvider {
    func featureValue(for name: String) -> MLFeatureValue?
}

open class MLDictionaryFeatureProvider: MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}

    open func featureValue(for name: String) -> MLFeatureValue? { nil }
}

open class MLPredictionOptions {
    public init() {}
}

open class MLModel {
    open class func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLModel {
        fatalError("a stub")
    }

    open class func compileModel(at url: URL) async throws -> URL { fatalError("a stub") }

    open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError("a stub") }

    @available(iOS 17, macOS 14, *)
    open func prediction(
        from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()
    ) async throws -> any MLFeatureProvider { fatalError("a stub") }
}
