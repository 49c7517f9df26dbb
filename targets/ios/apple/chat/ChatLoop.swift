import Foundation

/// How an answer ended.
public struct Answer: Equatable, Sendable {
    public let text: String
    /// "end", "length" (as many tokens as were allowed), "context" (it is full) or "cancelled".
    public let finish: String
    public let promptTokens: Int
    public let tokens: Int
    /// Oldest turns that were left out of the prompt, for the context is full.
    public let leftOut: Int
}

/// What the golden prompt gave.
public struct ChatReport: Equatable, Sendable {
    /// Bytes of the golden answer that came out, and how many it has.
    public let same: Int
    public let bytes: Int
    /// At the first difference, by how many logits another token was likelier; 0 where there is none.
    public let margin: Float

    /// Whether all of it came out, or all to the first tie: kernels round otherwise on another processor.
    public var passed: Bool { same == bytes || margin <= 1 }
}

/// A conversation: its history, as much of it as the context holds. Questions and answers of earlier turns are in the
/// prompt of the next, and in the model's cache. One call at a time.
final class ChatLoop {
    /// Tokens of the context that are kept for an answer.
    private static let answer = 256
    private let language: any Language
    private let description: ChatDescription
    private let system: String
    private var turns: [String] = []

    /// - Parameter system: a message before all others, which is never left out; "" for none.
    /// - Throws: `ModelError.badInput` where it leaves no room in the context.
    init(_ language: any Language, _ description: ChatDescription, system: String) throws {
        (self.language, self.description, self.system) = (language, description, system)
        let taken = prompt(["."]).count
        if taken + ChatLoop.answer > description.context {
            throw ModelError.badInput(
                "the system prompt takes \(taken) tokens of the \(description.context) of the context")
        }
    }

    /// Answers `text`. What was answered before a cancellation stays in the history.
    ///
    /// - Parameters:
    ///   - most: tokens of the answer.
    ///   - schema: name of one that the answer keeps to; nil for any text. It is whole where the answer came to its end.
    ///   - watch: told the tokens so far, between tokens; it cancels by throwing, and what is computed then is ended by
    ///     `Language.stop`.
    ///   - piece: takes the answer piece by piece, in whole characters.
    /// - Throws: `ModelError`, and what `watch` throws.
    func ask(_ text: String, most: Int, schema: String? = nil, watch: (Int) throws -> Void, piece: @escaping (String) -> Void)
        throws -> Answer
    {
        if text.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty {
            throw ModelError.badInput("the question is empty")
        }
        if language.grammar(try description.grammar(schema)) != 0 {
            throw ModelError.refused("the library cannot read the grammar of the schema \(schema ?? "")")
        }
        language.stop(false)
        let (asked, tokens, leftOut) = fitting(turns + [text])
        let room = description.context - tokens.count
        if room <= 0 {
            throw ModelError.badInput(
                "the question has \(tokens.count) tokens, and the context holds \(description.context)")
        }
        let decoding = Decoding(piece)
        defer {
            decoding.finish()
            turns = asked + [decoding.text]
        }
        let full = most > room ? "context" : "length"
        let finish = try write(tokens, most: min(most, room), full: full, watch: watch, decoding)
        decoding.finish()
        return Answer(
            text: decoding.text, finish: finish, promptTokens: tokens.count, tokens: decoding.tokens, leftOut: leftOut)
    }

    /// Begins anew.
    func clear() { turns = [] }

    /// Goes on with the golden prompt, and compares with what the bundle was proven to say.
    func selfTest(watch: (Int) throws -> Void) throws -> ChatReport {
        language.stop(false)
        _ = language.grammar("")
        let expected = Array(description.answer.utf8)
        if language.read(language.tokens(Array(description.prompt.utf8), special: false, begin: true)) != 0 {
            throw ModelError.refused("the library failed on the golden prompt")
        }
        var same = 0
        while same < expected.count {
            try watch(same)
            let margin = language.margin(Array(expected[same...]))
            let token = margin > 0 ? Ending.end : language.next()
            if token < 0 {
                return ChatReport(same: same, bytes: expected.count, margin: margin > 0 ? margin : .infinity)
            }
            same += language.piece(token).count
        }
        return ChatReport(same: expected.count, bytes: expected.count, margin: 0)
    }

    /// What is asked, without the oldest turns where the context is too short; its tokens; and how many turns are out.
    private func fitting(_ turns: [String]) -> (asked: [String], tokens: [Int32], leftOut: Int) {
        var asked = turns, leftOut = 0, tokens = prompt(asked)
        while asked.count > 1 && tokens.count + ChatLoop.answer > description.context {
            asked.removeFirst(2)
            leftOut += 1
            tokens = prompt(asked)
        }
        return (asked, tokens, leftOut)
    }

    private func write(
        _ tokens: [Int32], most: Int, full: String, watch: (Int) throws -> Void, _ decoding: Decoding
    ) throws -> String {
        try watch(0)
        var status = language.read(tokens)
        while status >= 0 && decoding.tokens < most {
            try watch(decoding.tokens)
            status = language.next()
            if status >= 0 { decoding.take(language.piece(status)) }
        }
        switch status {
        case Ending.failed: throw ModelError.refused("the library failed after \(decoding.tokens) tokens")
        case Ending.stopped:
            try watch(decoding.tokens)
            return "cancelled"
        case Ending.end: return "end"
        case Ending.full: return "context"
        default: return full
        }
    }

    private func prompt(_ asked: [String]) -> [Int32] {
        let text = description.prompt(system: system, turns: asked)
        return language.tokens(Array(text.utf8), special: true, begin: !description.begins)
    }
}
