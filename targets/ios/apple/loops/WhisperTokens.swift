import Foundation

/// Whisper's vocabulary: the numbers of special tokens, and text from tokens.
struct WhisperTokens {
    let endOfText, startOfTranscript, noSpeech, noTimestamps, firstTimestamp, translate, transcribe: Int
    let secondsPerTimestamp: Double
    /// Code to token, such as "en"; empty for a model of a single language.
    let languages: [String: Int]
    let suppress, suppressAtBegin: [Int]
    private let pieces: [[UInt8]]

    /// - Parameters:
    ///   - facts: "tokens" of the bundle's facts.
    ///   - vocabulary: vocabulary.bin: for each token an unsigned 16-bit length and its bytes, little-endian.
    init(_ facts: Facts, vocabulary: Data) throws {
        endOfText = try facts.int("end_of_text")
        startOfTranscript = try facts.int("start_of_transcript")
        noSpeech = try facts.int("no_speech")
        noTimestamps = try facts.int("no_timestamps")
        firstTimestamp = try facts.int("first_timestamp")
        translate = try facts.int("translate")
        transcribe = try facts.int("transcribe")
        secondsPerTimestamp = try facts.double("seconds_per_timestamp")
        languages = try (facts.value("languages") as [String: NSNumber]).mapValues(\.intValue)
        suppress = try facts.ints("suppress")
        suppressAtBegin = try facts.ints("suppress_at_begin")
        pieces = try WhisperTokens.pieces([UInt8](vocabulary), count: endOfText)
    }

    /// The text of tokens; special ones and timestamps are left out. Half characters become U+FFFD.
    func text(_ tokens: [Int]) -> String {
        String(decoding: tokens.filter { $0 < endOfText }.flatMap { pieces[$0] }, as: UTF8.self)
    }

    /// Without white space at both ends, as Python's strip: Unicode's, and four separators of ASCII.
    static func stripped(_ text: String) -> String {
        func isSpace(_ c: Unicode.Scalar) -> Bool { c.properties.isWhitespace || (0x1c...0x1f).contains(c.value) }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(scalars[first...last])
    }

    private static func pieces(_ bytes: [UInt8], count: Int) throws -> [[UInt8]] {
        var at = 0
        return try (0..<count).map { _ in
            guard at + 2 <= bytes.count else { throw ModelError.damaged("vocabulary.bin is cut off") }
            let end = at + 2 + Int(bytes[at]) + Int(bytes[at + 1]) << 8
            guard end <= bytes.count else { throw ModelError.damaged("vocabulary.bin is cut off") }
            defer { at = end }
            return Array(bytes[at + 2..<end])
        }
    }
}
