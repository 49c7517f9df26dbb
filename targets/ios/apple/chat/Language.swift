import EdgekitModelNative
import Foundation

/// A language model: text to tokens, a prompt into the cache, the next token. One thread at a time, but for `stop`.
protocol Language: AnyObject, Sendable {
    /// - Parameters:
    ///   - special: read control tokens in the text as such.
    ///   - begin: with the token that begins a text, if the model wants one.
    func tokens(_ text: [UInt8], special: Bool, begin: Bool) -> [Int32]
    /// The bytes of a token, which may be a part of a character.
    func piece(_ token: Int32) -> [UInt8]
    /// How tokens are chosen from now on; a temperature of 0 takes the likeliest.
    func sampling(_ sampling: Sampling)
    /// Has answers keep to a grammar in llama.cpp's form from the next token on; "": any text. 0, or why not.
    func grammar(_ grammar: String) -> Int32
    /// Has the cache hold the beginning that prompts share, out of a file or computed; 0, or why not. Then comes `read`.
    func begin(_ tokens: [Int32]) -> Int32
    /// Has the cache hold these tokens and no others; 0, or why not (`Ending`).
    func read(_ tokens: [Int32]) -> Int32
    /// The next token, which is then in the cache; or why there is none (`Ending`).
    func next() -> Int32
    /// The next token, which is not in the cache yet; or why there is none.
    func choose() -> Int32
    /// Whether `attempt` may guess now: tokens are the likeliest, any text goes, and the model can forget a part.
    var guesses: Bool { get }
    /// Adds the token that was chosen and up to 8 guesses at those after it, in one pass; those that the model would not
    /// have chosen are taken back. How many of the tokens are kept, or why none.
    func attempt(_ tokens: [Int32]) -> Int32
    /// What was computed so far.
    var work: Work { get }
    /// By how many logits the likeliest next token beats the best one with which the text goes on.
    func margin(_ text: [UInt8]) -> Float
    /// From any thread: whether to end what is computed now.
    func stop(_ stop: Bool)
}

/// Why there is no next token.
enum Ending {
    static let end = Int32(EDGEKIT_CHAT_END), stopped = Int32(EDGEKIT_CHAT_STOPPED)
    static let failed = Int32(EDGEKIT_CHAT_FAILED), full = Int32(EDGEKIT_CHAT_FULL)
}

/// Tokens that were computed, in so many passes over the model.
struct Work: Sendable {
    let tokens: Int
    let passes: Int
}

/// How tokens are chosen: the likeliest at a temperature of 0, else by top-k, top-p, min-p, temperature and chance.
public struct Sampling: Sendable {
    public var temperature: Float
    public var topK: Int32
    public var topP: Float
    public var minP: Float
    public var seed: UInt32

    public init(temperature: Float = 0, topK: Int32 = 40, topP: Float = 0.95, minP: Float = 0.05, seed: UInt32 = 0) {
        (self.temperature, self.topK, self.topP, self.minP, self.seed) = (temperature, topK, topP, minP, seed)
    }
}

/// llama.cpp, compiled with the app. The weights are mapped from their file.
final class NativeLanguage: Language, @unchecked Sendable {
    // Unchecked: calls come in turns, and the library allows `stop` from any thread.
    private let handle: OpaquePointer

    /// - Throws: `ModelError.refused` with the library's reason.
    init(path: String, context: Int, small: Bool, threads: Int) throws {
        var why = [CChar](repeating: 0, count: 512)
        let size = Int32(why.count)
        guard let handle = edgekit_chat_open(path, Int32(context), small ? 1 : 0, Int32(threads), &why, size) else {
            let reason = why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw ModelError.refused(String(decoding: reason, as: UTF8.self))
        }
        self.handle = handle
    }

    /// Keeps beginnings of prompts, such as system prompts, in files from now on.
    ///
    /// - Parameters:
    ///   - folder: of the app; made where it is not there.
    ///   - identity: of weights and library (`ChatDescription.identity`).
    func keep(_ folder: URL, identity: String) { edgekit_chat_keep(handle, folder.path, identity) }

    deinit { edgekit_chat_close(handle) }

    func tokens(_ text: [UInt8], special: Bool, begin: Bool) -> [Int32] {
        sized(guess: text.count + 8, empty: Int32(0)) { out, room in
            text.withUnsafeBytes { raw in
                let start = raw.bindMemory(to: CChar.self).baseAddress
                return edgekit_chat_tokens(handle, start, Int32(text.count), special ? 1 : 0, begin ? 1 : 0, out, room)
            }
        }
    }

    func piece(_ token: Int32) -> [UInt8] {
        sized(guess: 64, empty: CChar(0)) { edgekit_chat_piece(handle, token, $0, $1) }.map { UInt8(bitPattern: $0) }
    }

    func sampling(_ sampling: Sampling) {
        edgekit_chat_sampling(
            handle, sampling.temperature, sampling.topK, sampling.topP, sampling.minP, sampling.seed)
    }

    func grammar(_ grammar: String) -> Int32 { edgekit_chat_grammar(handle, grammar) }
    func begin(_ tokens: [Int32]) -> Int32 { edgekit_chat_begin(handle, tokens, Int32(tokens.count)) }
    func read(_ tokens: [Int32]) -> Int32 { edgekit_chat_read(handle, tokens, Int32(tokens.count)) }
    func next() -> Int32 { edgekit_chat_next(handle) }
    func choose() -> Int32 { edgekit_chat_choose(handle) }
    var guesses: Bool { edgekit_chat_guesses(handle) != 0 }
    func attempt(_ tokens: [Int32]) -> Int32 { edgekit_chat_try(handle, tokens, Int32(tokens.count)) }
    var work: Work { Work(tokens: Int(edgekit_chat_computed(handle)), passes: Int(edgekit_chat_passes(handle))) }
    func stop(_ stop: Bool) { edgekit_chat_stop(handle, stop ? 1 : 0) }

    func margin(_ text: [UInt8]) -> Float {
        text.withUnsafeBytes {
            edgekit_chat_margin(handle, $0.bindMemory(to: CChar.self).baseAddress, Int32(text.count))
        }
    }

    /// What a call writes that returns how many values it wrote, or minus the room that it takes.
    private func sized<T>(guess: Int, empty: T, _ call: (UnsafeMutablePointer<T>?, Int32) -> Int32) -> [T] {
        var out = [T](repeating: empty, count: guess)
        var count = out.withUnsafeMutableBufferPointer { call($0.baseAddress, Int32($0.count)) }
        if count < 0 {
            out = [T](repeating: empty, count: Int(-count))
            count = out.withUnsafeMutableBufferPointer { call($0.baseAddress, Int32($0.count)) }
        }
        return Array(out.prefix(max(0, Int(count))))
    }
}
