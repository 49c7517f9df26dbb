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
        XCTAssertFalse(try files.goldenInput().tensors.isEmpty)
        XCTAssertFalse(try files.goldenReference().isEmpty)
    }

    /// Calls come one at a time and in order; one that is cancelled while it waits leaves at once.
    func testTurns() async throws {
        let turns = Turns(), order = Order()
        let (started, start) = AsyncStream<Void>.makeStream(), (gate, open) = AsyncStream<Void>.makeStream()
        let first = Task {
            try await turns.take {
                start.finish()
                for await _ in gate {}
                await order.add("first")
            }
        }
        for await _ in started {}
        let second = Task { try await turns.take { await order.add("second") } }
        let third = Task { try await turns.take { await order.add("third") } }
        try await Task.sleep(nanoseconds: 50_000_000)
        second.cancel()
        do {
            try await second.value
            XCTFail("a call that was cancelled was answered")
        } catch is CancellationError {}
        open.finish()
        try await first.value
        try await third.value
        let words = await order.words
        XCTAssertEqual(words, ["first", "third"])
    }

    private actor Order {
        var words: [String] = []

        func add(_ word: String) { words.append(word) }
    }

    #if canImport(CoreML)
        /// Core ML computes what the fp32 reference computed.
        func testSelfTest() async throws {
            let report = try await EdgekitAPI().selfTest()
            XCTAssertTrue(report.passed, "\(report.errors), of at most \(report.limits)")
        }
    #endif
}
