import Foundation

/// Pictures to the text in them. Calls may come from any task: they are answered one at a time.
public final class TextReader: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: PictureText
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try PictureText(parts, files.description)
    }

    /// The lines of a picture from above, and of those that stand side by side from the left.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func read(_ pixels: Pixels) async throws -> [TextLine] {
        try await turns.take { [self] in try await loop.read(pixels) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let input = try files.goldenInput()
            let pixels = try Pixels(rgb: input.bytes(), height: input.shape[0], width: input.shape[1])
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                try await PictureText(watched, files.description).probe(pixels)
            }
        }
    }
}
