import Foundation
import XCTest

@testable import EdgekitModel

#if canImport(CryptoKit)
    import CryptoKit
#endif

final class ModelTests: XCTestCase {
    /// Every file is there as it was packaged. The hashes are compared where the system has them.
    func testResourcesAreWhole() throws {
        let files = try ModelFiles.bundled()
        let listed = try Facts(json: files.data("files.json")).objects("files")
        XCTAssertFalse(listed.isEmpty)
        for entry in listed {
            let name = try entry.text("name"), content = try files.data(name)
            XCTAssertEqual(content.count, try entry.int("size"), name)
            #if canImport(CryptoKit)
                let digest = SHA256.hash(data: content).map { String(format: "%02x", $0) }.joined()
                XCTAssertEqual(digest, try entry.text("sha256"), name)
            #endif
        }
    }

    /// The loops take what the package holds: its facts, its vocabulary, its golden vectors.
    func testLoopsTakeTheModel() throws {
        final class Nothing: Graph {
            func run(_ inputs: [String: any Tensor]) async throws -> [String: any Tensor] { [:] }
        }
        let files = try ModelFiles.bundled()
        let parts = files.description.parts.map { ($0.name, Nothing() as any Graph) }
        XCTAssertNoThrow(try EdgekitAPI(files, parts: Dictionary(uniqueKeysWithValues: parts)))
        XCTAssertGreaterThan(try files.goldenInput().shape.reduce(1, *), 0)
        XCTAssertFalse(try files.goldenReference().isEmpty)
    }

    #if canImport(CoreML)
        /// Core ML computes what the fp32 reference computed.
        func testSelfTest() async throws {
            let report = try await EdgekitAPI().selfTest()
            XCTAssertTrue(report.passed, "\(report.errors), of at most \(report.limit)")
        }
    #endif
}
