import Foundation

/// Texts to the tokens of WordPiece vocabularies of BERT's kind: words, then their longest pieces.
struct WordPieces {
    /// A longer word is unknown, in letters.
    private static let longest = 100
    /// Letters that are words by themselves.
    private static let ideographs: [ClosedRange<UInt32>] = [
        0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF,
        0xF900...0xFAFF, 0x2F800...0x2FA1F,
    ]
    private static let dropped: Set<Unicode.GeneralCategory> = [.control, .format, .privateUse, .surrogate]
    private static let spaces: Set<Unicode.GeneralCategory> = [.spaceSeparator, .lineSeparator, .paragraphSeparator]
    private static let punctuation: Set<Unicode.GeneralCategory> = [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
    ]

    /// By the letters of a token, as UTF-8, for Swift's strings are equal where only their meaning is.
    private var numbers: [[UInt8]: Int] = [:]
    /// Tokens that a text may name: as it stands, and once it is plain.
    private let special, late: [String]
    private let frame: [String]
    private let unknown: String
    private let lower, accents: Bool

    /// - Parameters:
    ///   - vocabulary: for each token in order its length in 16 bits, and its bytes.
    ///   - rules: "tokenizer" of the bundle's facts; what it does not say is as BERT does it for text in lower case.
    init(_ vocabulary: Data, _ rules: Facts) throws {
        func texts(_ name: String, _ otherwise: [String]) throws -> [String] {
            rules.has(name) ? try rules.texts(name) : otherwise
        }
        special = try texts("special", ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"])
        late = try texts("late", [])
        frame = try texts("frame", ["[CLS]", "[SEP]"])
        unknown = rules.has("unknown") ? try rules.text("unknown") : "[UNK]"
        lower = rules.has("lower") ? try rules.value("lower") : true
        accents = rules.has("accents") ? try rules.value("accents") : false
        let bytes = [UInt8](vocabulary)
        var at = 0
        while at + 1 < bytes.count {
            let size = Int(bytes[at]) | Int(bytes[at + 1]) << 8
            guard at + 2 + size <= bytes.count else { throw ModelError.damaged("the vocabulary is cut off") }
            numbers[Array(bytes[at + 2..<at + 2 + size])] = numbers.count
            at += 2 + size
        }
    }

    func number(_ token: String) throws -> Int {
        guard let number = numbers[Array(token.utf8)] else { throw ModelError.damaged("the vocabulary has no \(token)") }
        return number
    }

    /// The tokens of a text between a first and a last special token, cut to `most`.
    func tokens(_ text: String, most: Int) throws -> [Int] {
        var tokens = [try number(frame[0])]
        for (stretch, mark) in Self.parted(text, special) {
            for (words, named) in Self.parted(plain(stretch), late) {
                tokens += try self.words(words)
                tokens += try named.map { [try number($0)] } ?? []
            }
            tokens += try mark.map { [try number($0)] } ?? []
        }
        return tokens.prefix(most - 1) + [try number(frame[1])]
    }

    /// Stretches of a text, each with the mark behind it. Of two marks at a place the longer one counts.
    private static func parted(_ text: String, _ marks: [String]) -> [(String, String?)] {
        var parts: [(String, String?)] = [], left = Substring(text)
        while true {
            let found = marks.compactMap { mark in left.range(of: mark, options: .literal).map { ($0, mark) } }
            let next = found.min { ($0.0.lowerBound, $1.0.upperBound) < ($1.0.lowerBound, $0.0.upperBound) }
            guard let (range, mark) = next else { return parts + [(String(left), nil)] }
            parts.append((String(left[..<range.lowerBound]), mark))
            left = left[range.upperBound...]
        }
    }

    /// Cleaned, without accents and in lower case, as the rules say.
    private func plain(_ text: String) -> String {
        let cleaned = Self.cleaned(Substring(text))
        var plain = String.UnicodeScalarView()
        for letter in (accents ? cleaned : cleaned.decomposedStringWithCanonicalMapping).unicodeScalars
        where accents || letter.properties.generalCategory != .nonspacingMark {
            plain.append(contentsOf: lower ? letter.properties.lowercaseMapping.unicodeScalars : String(letter).unicodeScalars)
        }
        return String(plain)
    }

    private func words(_ plain: String) throws -> [Int] {
        var tokens: [Int] = [], word: [Unicode.Scalar] = []
        func end() throws {
            tokens += word.isEmpty ? [] : try pieces(word)
            word = []
        }
        for letter in plain.unicodeScalars {
            if letter == " " {
                try end()
            } else if Self.isPunctuation(letter, letter.properties.generalCategory) {
                try end()
                tokens += try pieces([letter])
            } else {
                word.append(letter)
            }
        }
        try end()
        return tokens
    }

    /// Without control characters; spaces for all kinds of them, and around ideographs.
    private static func cleaned(_ text: Substring) -> String {
        var cleaned = String.UnicodeScalarView()
        for letter in text.unicodeScalars {
            let kind = letter.properties.generalCategory
            if spaces.contains(kind) || letter == "\t" || letter == "\n" || letter == "\r" {
                cleaned.append(" ")
            } else if ideographs.contains(where: { $0.contains(letter.value) }) {
                cleaned.append(contentsOf: [" ", letter, " "])
            } else if letter.value != 0xFFFD && !dropped.contains(kind) {
                cleaned.append(letter)
            }
        }
        return String(cleaned)
    }

    private static func isPunctuation(_ letter: Unicode.Scalar, _ kind: Unicode.GeneralCategory) -> Bool {
        let ascii = letter.value > 32 && letter.value < 127 && !letter.properties.isAlphabetic && kind != .decimalNumber
        return ascii || punctuation.contains(kind)
    }

    /// The longest pieces of a word; one that cannot be spelt is unknown as a whole.
    private func pieces(_ word: [Unicode.Scalar]) throws -> [Int] {
        var pieces: [Int] = [], start = 0
        while start < word.count, word.count <= Self.longest {
            let first = start
            for end in stride(from: word.count, to: start, by: -1) where start == first {
                let piece = (start > 0 ? Array("##".utf8) : []) + word[start..<end].flatMap { Array(UTF8.encode($0)!) }
                if let number = numbers[piece] {
                    pieces.append(number)
                    start = end
                }
            }
            if start == first {
                break
            }
        }
        return start == word.count ? pieces : [try number(unknown)]
    }
}
