import Foundation
import XCTest

@testable import EdgekitModel

#if canImport(CryptoKit)
    import CryptoKit
#endif

final class ChatTests: XCTestCase {
    /// Every file is there as it was packaged. The hashes are compared where the system has them.
    func testResourcesAreWhole() throws {
        let folder = try Chat.resources()
        let listed = try Facts(json: Chat.content(folder.appendingPathComponent("files.json"))).objects("files")
        XCTAssertFalse(listed.isEmpty)
        for entry in listed {
            let name = try entry.text("name"), content = try Chat.content(folder.appendingPathComponent(name))
            XCTAssertEqual(content.count, try entry.int("size"), name)
            #if canImport(CryptoKit)
                let digest = SHA256.hash(data: content).map { String(format: "%02x", $0) }.joined()
                XCTAssertEqual(digest, try entry.text("sha256"), name)
            #endif
        }
    }

    /// It says what the bundle was proven to say, all of it or to the first tie.
    func testSelfTest() async throws {
        let report = try await Chat(threads: 1).selfTest()
        XCTAssertTrue(report.passed, "\(report)")
    }

    /// An answer comes in pieces, and what is asked next has it in its prompt.
    func testAsk() async throws {
        let chat = try await Chat(threads: 1)
        let first = try await said(chat.ask("Hello", most: 8))
        let answer = try XCTUnwrap(chat.last)
        XCTAssertTrue(answer.text.hasPrefix(first))
        XCTAssertLessThanOrEqual(answer.tokens, 8)
        _ = try await said(chat.ask("Hello", most: 8))
        XCTAssertGreaterThan(try XCTUnwrap(chat.last).promptTokens, answer.promptTokens)
    }

    /// Whoever stops to read ends the answer, and the next question is answered.
    func testCancellation() async throws {
        let chat = try await Chat(threads: 1)
        for try await _ in chat.ask("Tell me a long story.", most: 4000) { break }
        _ = try await said(chat.ask("Hello", most: 4))
        XCTAssertLessThanOrEqual(try XCTUnwrap(chat.last).tokens, 4)
    }

    /// What was computed of the system prompt is read by the next chat: fewer tokens, the same answer.
    func testSystemPromptIsKept() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        var answers: [Answer] = []
        for _ in 0..<2 {
            let chat = try await Chat(system: "You answer in one sentence.", threads: 1, prompts: folder)
            _ = try await said(chat.ask("Hello", most: 8))
            answers.append(try XCTUnwrap(chat.last))
        }
        XCTAssertEqual(answers[0].text, answers[1].text)
        XCTAssertEqual(answers[0].computed, answers[0].promptTokens + answers[0].tokens)
        XCTAssertLessThan(answers[1].computed, answers[0].computed)
    }

    /// Tokens that followed before are tried, and the answer is the same.
    func testLookUp() async throws {
        let chat = try await Chat(threads: 1)
        var answers: [Answer] = []
        for lookUp in [false, true] {
            try await chat.clear()
            _ = try await said(chat.ask("one two one two", most: 24, lookUp: lookUp))
            answers.append(try XCTUnwrap(chat.last))
        }
        XCTAssertEqual(answers[0].text, answers[1].text)
        XCTAssertLessThanOrEqual(answers[1].passes, answers[0].passes)
    }

    func testWhatCannotBe() async throws {
        let chat = try await Chat(threads: 1)
        for text in ["  \n", String(repeating: "word ", count: 200_000)] {
            do {
                _ = try await said(chat.ask(text))
                XCTFail("it was answered")
            } catch is ModelError {}
        }
        do {
            _ = try await Chat(system: String(repeating: "word ", count: 200_000), threads: 1)
            XCTFail("the system prompt fits")
        } catch is ModelError {}
        XCTAssertThrowsError(try FreeMemory.check("it", needed: 3 << 30, mapped: 1 << 30, free: 1 << 30))
        XCTAssertNoThrow(try FreeMemory.check("it", needed: 2 << 30, mapped: 1 << 30, free: 1 << 30))
    }

    private func said(_ answer: AsyncThrowingStream<String, any Error>) async throws -> String {
        var text = ""
        for try await piece in answer { text += piece }
        return text
    }
}
