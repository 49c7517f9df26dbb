import Foundation

/// A picture to labels. Calls may come from any task: they are answered one at a time.
public final class Classifier: Sendable {
    private let model: Opened<ImageClassifier>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The most probable labels first.
    ///
    /// - Parameters:
    ///   - pixels: a picture of any size.
    ///   - top: how many to tell; all where there are fewer.
    /// - Throws: `ModelError`, `CancellationError`.
    public func classify(_ pixels: Pixels, top: Int = 5) async throws -> [Ranked] {
        try await model.use { loop in try await loop.classify(pixels, top: top) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
