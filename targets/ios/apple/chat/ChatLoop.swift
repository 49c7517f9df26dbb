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
    /// Tokens of prompt and answer that were computed: the others were in the cache, or in a file.
    public let computed: Int
    /// Passes over the model that this took.
    public let passes: Int
}

/// What is asked.
struct Question: Sendable {
    let text: String
    /// Tokens of the answer at most.
    let most: Int
    /// Name of a schema that the answer keeps to; nil for any text. It is whole where the answer came to its end.
    var schema: String?
    /// Whether tokens that followed before are tried, several in a pass (see `LookUp`). It does nothing in a schema or by
    /// chance, nor where a model cannot forget.
    var lookUp = false
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
    /// Tokens that every prompt with this system prompt begins with; none without one.
    private var beginning: [Int32] = []
    private var turns: [String] = []

    /// - Parameter system: a message before all others, which is never left out; "" for none.
    /// - Throws: `ModelError.badInput` where it leaves no room in the context.
    init(_ language: any Language, _ description: ChatDescription, system: String) throws {
        (self.language, self.description, self.system) = (language, description, system)
        let asked = tokens(["."]), taken = asked.count
        if taken + ChatLoop.answer > description.context {
            throw ModelError.badInput(
                "the system prompt takes \(taken) tokens of the \(description.context) of the context")
        }
        if !system.isEmpty { beginning = zip(asked, tokens(["a"])).prefix { $0 == $1 }.map(\.0) }
    }

    /// Answers a question. What was answered before a cancellation stays in the history.
    ///
    /// - Parameters:
    ///   - watch: told the tokens so far, between passes; it cancels by throwing, and what is computed then is ended by
    ///     `Language.stop`.
    ///   - piece: takes the answer piece by piece, in whole characters.
    /// - Throws: `ModelError`, and what `watch` throws.
    func ask(_ question: Question, watch: (Int) throws -> Void, piece: @escaping (String) -> Void) throws -> Answer {
        if question.text.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty {
            throw ModelError.badInput("the question is empty")
        }
        if language.grammar(try description.grammar(question.schema)) != 0 {
            throw ModelError.refused("the library cannot read the grammar of the schema \(question.schema ?? "")")
        }
        language.stop(false)
        let (asked, prompt, leftOut) = fitting(turns + [question.text])
        if prompt.count >= description.context {
            throw ModelError.badInput(
                "the question has \(prompt.count) tokens, and the context holds \(description.context)")
        }
        let before = language.work
        let decoding = Decoding(piece)
        defer {
            decoding.finish()
            turns = asked + [decoding.text]
        }
        let finish = try write(question, prompt, watch: watch, decoding)
        decoding.finish()
        let after = language.work
        return Answer(
            text: decoding.text, finish: finish, promptTokens: prompt.count, tokens: decoding.tokens, leftOut: leftOut,
            computed: after.tokens - before.tokens, passes: after.passes - before.passes)
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
    private func fitting(_ turns: [String]) -> (asked: [String], prompt: [Int32], leftOut: Int) {
        var asked = turns, leftOut = 0, prompt = tokens(asked)
        while asked.count > 1 && prompt.count + ChatLoop.answer > description.context {
            asked.removeFirst(2)
            leftOut += 1
            prompt = tokens(asked)
        }
        return (asked, prompt, leftOut)
    }

    private func write(
        _ question: Question, _ prompt: [Int32], watch: (Int) throws -> Void, _ decoding: Decoding
    ) throws -> String {
        let room = description.context - prompt.count, most = min(question.most, room)
        try watch(0)
        var status = language.begin(beginning)
        if status >= 0 { status = language.read(prompt) }
        let guesses = question.lookUp && language.guesses
        var said = LookUp(prompt)
        while status >= 0 && decoding.tokens < most {
            try watch(decoding.tokens)
            status = guesses ? several(&said, left: most - decoding.tokens, decoding) : step(decoding)
        }
        switch status {
        case Ending.failed: throw ModelError.refused("the library failed after \(decoding.tokens) tokens")
        case Ending.stopped:
            try watch(decoding.tokens)
            return "cancelled"
        case Ending.end: return "end"
        case Ending.full: return "context"
        default: return question.most > room ? "context" : "length"
        }
    }

    private func step(_ decoding: Decoding) -> Int32 {
        let token = language.next()
        if token >= 0 { decoding.take(language.piece(token)) }
        return token
    }

    /// The next token and guesses at those after it; at most `left` in all are taken.
    private func several(_ said: inout LookUp, left: Int, _ decoding: Decoding) -> Int32 {
        let token = language.choose()
        if token < 0 { return token }
        let row = said.guessed(token, most: left - 2)  // with the token that the same pass gives after them
        let kept = language.attempt(row)
        let taken = row.prefix(max(0, Int(kept)))
        said.add(taken)
        for token in taken { decoding.take(language.piece(token)) }
        return kept
    }

    private func tokens(_ asked: [String]) -> [Int32] {
        let text = description.prompt(system: system, turns: asked)
        return language.tokens(Array(text.utf8), special: true, begin: !description.begins)
    }
}
