import Foundation

/// Pictures to the points of bodies or hands. Calls may come from any task: they are answered one at a time.
public final class KeypointDetector: Sendable {
    private let model: Opened<PictureKeypoints>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Pairs of points, by their places in the list, between which a line is drawn.
    public var links: [[Int]] { model.loop.links }

    /// The bodies or hands in a picture, those of which the detector is surest first.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func detect(_ pixels: Pixels) async throws -> [KeypointObject] {
        try await model.use { loop in try await loop.find(pixels) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
