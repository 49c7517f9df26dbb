import Foundation

/// A word as the network wrote it, with its space in front, its tokens, its times in seconds and its mean probability.
struct WhisperWord {
    var word: String
    var tokens: [Int]
    var start, end, probability: Double
}

/// The times of words, from the heads of cross-attention that follow the sound: the decoder reads the finished text once
/// more (after whisper/timing.py). What is not the original's comes last: a pause belongs to no word.
struct WhisperWords {
    /// Positions of the encoder a second.
    private static let second = 50
    /// Marks that belong to the word after them, to the word before them, and that begin a word.
    private static let prepended = "\"'\u{201c}\u{bf}([{-"
    private static let appended = "\"'.\u{3002},,!!??::\u{201d})]}\u{3001}"
    private static let marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    /// Languages that put no spaces between words.
    private static let unspaced: Set = ["zh", "ja", "th", "lo", "my", "yue"]
    /// Seconds: how far from a border of the attention a pause may lie, and what a word keeps at least.
    private static let reach = 0.35, least = 0.02

    private let tokens: WhisperTokens
    private let heads: [[Int]]
    private let attention: WhisperAttention

    /// - Parameters:
    ///   - heads: the layer and head of each of the decoder's alignment queries.
    ///   - cross: what the encoder said.
    init(_ tokens: WhisperTokens, heads: [[Int]], cross: [String: any Tensor]) throws {
        self.tokens = tokens
        self.heads = heads
        attention = try WhisperAttention(cross)
    }

    /// The longest stretch of a window at which no token looks, in seconds.
    ///
    /// - Parameters:
    ///   - queries: of each token and of the end of the text.
    ///   - seconds: length of the sound.
    func gap(_ queries: [[Float]], seconds: Double) throws -> (begin: Double, end: Double) {
        let looks = try attention.looks(queries, heads).map { min(Double($0) / Double(Self.second), seconds) }
        let read = [0] + looks.sorted() + [seconds]
        return zip(read, read.dropFirst()).reduce((begin: 0, end: 0)) {
            $1.1 - $1.0 > $0.end - $0.begin ? (begin: $1.0, end: $1.1) : $0
        }
    }

    /// The words of a window, with their spaces; times count from its start.
    ///
    /// - Parameters:
    ///   - prompt: the tokens before the text.
    ///   - kept: the tokens of the window that count; special ones are left out.
    ///   - samples: the sound of the window at 16 kHz.
    func aligned(
        _ hypotheses: WhisperHypotheses, prompt: [Int], kept: [Int], samples: [Float], language: String?
    ) async throws -> [WhisperWord] {
        let text = kept.filter { $0 < tokens.endOfText }
        guard !text.isEmpty else { return [] }
        let from = prompt.count - 1, all = prompt + text + [tokens.endOfText]
        let reading = try await hypotheses.read(all, select: Array(from..<from + text.count))
        let heard = min(max(samples.count * Self.second / WhisperTranscriber.rate, 1), attention.positions)
        let weights = try attention.weights(reading.queries, heads, count: all.count, heard: heard)
        // A token begins where its row begins; the end of the text begins where the last token ends.
        let begins = WhisperAttention.path(weights[from...from + text.count]).map { Double($0) / Double(Self.second) }
        var words: [WhisperWord] = [], at = 0
        for group in groups(text, spaced: !Self.unspaced.contains(language ?? "")) {
            let after = at + group.count
            let sum = (at..<after).reduce(0.0) {
                $0 + exp(WhisperDecoding.logprob(Array(reading.logits[$1].prefix(tokens.endOfText)), text[$1]))
            }
            words.append(
                WhisperWord(
                    word: tokens.text(group), tokens: group, start: begins[at], end: begins[after],
                    probability: sum / Double(group.count)))
            at = after
        }
        return Self.trimmed(Self.punctuated(words), WhisperPauses(samples))
    }

    /// Tokens by word. A word begins with a space, or is a mark; without spaces, each whole character is a word.
    private func groups(_ text: [Int], spaced: Bool) -> [[Int]] {
        var words: [[Int]] = []
        for group in characters(text) {
            let letters = tokens.text(group)
            let begins = !spaced || letters.unicodeScalars.first == " " || Self.holds(Self.marks, letters)
            if begins || words.isEmpty {
                words.append(group)
            } else {
                words[words.count - 1] += group
            }
        }
        return words
    }

    /// Tokens in the smallest groups that are whole characters. A half character stays with what follows it.
    private func characters(_ text: [Int]) -> [[Int]] {
        var groups: [[Int]] = [], group: [Int] = []
        for token in text {
            group.append(token)
            if !tokens.text(group).unicodeScalars.contains("\u{fffd}") {
                groups.append(group)
                group = []
            }
        }
        return group.isEmpty ? groups : groups + [group]
    }

    /// Whether marks follow each other in `all` as they do in `text`, which may have white space around them. By scalars:
    /// Swift's own search takes a letter and its accent for another letter.
    private static func holds(_ all: String, _ text: String) -> Bool {
        let wanted = Array(WhisperTokens.stripped(text).unicodeScalars), all = Array(all.unicodeScalars)
        guard wanted.count <= all.count else { return false }
        return (0...all.count - wanted.count).contains { all[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }

    /// Marks joined to their word, which keeps its own times.
    private static func punctuated(_ words: [WhisperWord]) -> [WhisperWord] {
        var joined: [WhisperWord] = [], pending = "", waiting: [Int] = []
        for word in words {
            let mark = !WhisperTokens.stripped(word.word).isEmpty, spaced = word.word.unicodeScalars.first == " "
            if !joined.isEmpty && mark && !spaced && holds(appended, word.word) {
                joined[joined.count - 1].word += word.word
                joined[joined.count - 1].tokens += word.tokens
            } else if spaced && mark && holds(prepended, word.word) {
                pending += word.word
                waiting += word.tokens
            } else {
                var whole = word
                (whole.word, whole.tokens) = (pending + word.word, waiting + word.tokens)
                joined.append(whole)
                (pending, waiting) = ("", [])
            }
        }
        return joined
    }

    /// Words without the pauses between them. Attention gives a pause to a neighbour, and finds the end of a word early
    /// or late: the longest pause about a border becomes the border.
    private static func trimmed(_ words: [WhisperWord], _ pauses: WhisperPauses) -> [WhisperWord] {
        guard let final = words.indices.last else { return [] }
        var starts = words.map(\.start), ends = words.map(\.end)
        if let loud = pauses.loud {
            starts[0] = min(max(starts[0], loud.first), ends[0])
            ends[final] = max(min(ends[final], loud.last), starts[final])
        }
        for i in words.indices.dropFirst() {
            let early = max(starts[i] - reach, starts[i - 1] + least), late = min(starts[i] + reach, ends[i] - least)
            if let pause = pauses.longest(early: early, late: late) {
                ends[i - 1] = max(pause.begin, starts[i - 1] + least)
                starts[i] = min(pause.end, max(ends[i] - least, pause.begin))
            }
        }
        var made = words
        for i in words.indices {
            made[i].start = Numbers.round(starts[i], places: 3)
            made[i].end = Numbers.round(max(starts[i], ends[i]), places: 3)
        }
        return made
    }
}
