import Foundation

/// A picture to labels. Calls may come from any task: they are answered one at a time.
public final class Classifier: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: ImageClassifier
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try ImageClassifier(parts, files.description)
    }

    /// The most probable labels first.
    ///
    /// - Parameters:
    ///   - pixels: a picture of any size.
    ///   - top: how many to tell; all where there are fewer.
    /// - Throws: `ModelError`, `CancellationError`.
    public func classify(_ pixels: Pixels, top: Int = 5) async throws -> [Ranked] {
        try await turns.take { [self] in try await loop.classify(pixels, top: top) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let input = try files.goldenInput()
            let pixels = try Pixels(rgb: input.bytes(), height: input.shape[0], width: input.shape[1])
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                try await ImageClassifier(watched, files.description).classify(pixels, top: 1)[0].label
            }
        }
    }
}
