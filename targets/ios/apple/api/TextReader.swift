import Foundation

/// Pictures to the text in them. Calls may come from any task: they are answered one at a time.
public final class TextReader: Sendable {
    private let model: Opened<PictureText>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// The lines of a picture from above, and of those that stand side by side from the left.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func read(_ pixels: Pixels) async throws -> [TextLine] {
        try await model.use { loop in try await loop.read(pixels) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
