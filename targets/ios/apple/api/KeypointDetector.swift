import Foundation

/// Pictures to the points of bodies or hands. Calls may come from any task: they are answered one at a time.
public final class KeypointDetector: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: PictureKeypoints
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try PictureKeypoints(parts, files.description)
    }

    /// Pairs of points, by their places in the list, between which a line is drawn.
    public var links: [[Int]] { loop.links }

    /// The bodies or hands in a picture, those of which the detector is surest first.
    ///
    /// - Throws: `ModelError`, `CancellationError`.
    public func detect(_ pixels: Pixels) async throws -> [KeypointObject] {
        try await turns.take { [self] in try await loop.find(pixels) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let input = try files.goldenInput()
            let pixels = try Pixels(rgb: input.bytes(), height: input.shape[0], width: input.shape[1])
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                PictureKeypoints.text(try await PictureKeypoints(watched, files.description).find(pixels))
            }
        }
    }
}
