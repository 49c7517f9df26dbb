import Foundation

/// Pictures to labelled boxes. Calls may come from any task: they are answered one at a time.
public final class ObjectDetector: Sendable {
    private let model: Opened<BoxDetector>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The least score that counts, as the bundle has it.
    public var threshold: Double { model.loop.threshold }

    /// What is in a picture, best first.
    ///
    /// - Parameter threshold: the least score that counts; nil: the bundle's.
    /// - Throws: `ModelError`, `CancellationError`.
    public func detect(_ pixels: Pixels, threshold: Double? = nil) async throws -> [DetectedObject] {
        try await model.use { loop in try await loop.detect(pixels, threshold: threshold ?? loop.threshold) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
