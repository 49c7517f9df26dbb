import Foundation

/// Pictures to areas. Calls may come from any task: they are answered one at a time.
public final class PictureSegmenter: Sendable {
    private let model: Opened<PictureAreas>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// A class for every pixel of a picture, at most 2048 a side.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func segment(_ pixels: Pixels) async throws -> PictureMask {
        try await model.use { loop in try await loop.segment(pixels) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
