import Foundation

/// Pictures to labelled boxes. Calls may come from any task: they are answered one at a time.
public final class ObjectDetector: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: BoxDetector
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try BoxDetector(parts, files.description)
    }

    /// The least score that counts, as the bundle has it.
    public var threshold: Double { loop.threshold }

    /// What is in a picture, best first.
    ///
    /// - Parameter threshold: the least score that counts; nil: the bundle's.
    /// - Throws: `ModelError`, `CancellationError`.
    public func detect(_ pixels: Pixels, threshold: Double? = nil) async throws -> [DetectedObject] {
        try await turns.take { [self] in try await loop.detect(pixels, threshold: threshold ?? loop.threshold) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let input = try files.goldenInput()
            let pixels = try Pixels(rgb: input.bytes(), height: input.shape[0], width: input.shape[1])
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                let loop = try BoxDetector(watched, files.description)
                return DetectedObject.text(try await loop.detect(pixels, threshold: loop.threshold))
            }
        }
    }
}
