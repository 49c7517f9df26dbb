import Foundation

/// The phonemes of a clause, in the International Phonetic Alphabet as espeak-ng writes it, without marks: an app's own way,
/// for no voice brings one along. Marks at the clause's end are kept by the caller.
public typealias Phonemizer = @Sendable (_ clause: String) throws -> String

/// From a text to the phonemes that a voice reads, a sentence at a time.
enum VoiceText {
    /// White space of any script.
    private static let space = #"[\s\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"#
    /// Titles and initials, whose full stop ends nothing.
    private static let title =
        #"(?:^|[ ("'\u201c\u2018])(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Rev|Hon|Jr|Sr|vs|No|[A-Z])\z"#

    /// The phonemes of a text with its marks, decomposed. What stands in double brackets is taken as phonemes.
    ///
    /// - Parameter phonemizer: of the words outside of brackets; nil: there are none.
    /// - Throws: `ModelError.badInput`: words without a phonemizer, or nothing to read.
    static func phonemes(_ text: String, _ phonemizer: Phonemizer?) throws -> String {
        var pieces: [String] = []
        let last = try each(#"\[\[((?s).*?)\]\]"#, text) { before, match in
            pieces += [try spoken(before, phonemizer), trimmed(match.replacing(#"^\[\[|\]\]\z"#, by: ""))]
        }
        pieces.append(try spoken(last, phonemizer))
        return try checked(pieces.filter { !$0.isEmpty }.joined(separator: " "))
    }

    /// A string of phonemes, decomposed. Throws `ModelError.badInput` for nothing to read.
    static func checked(_ phonemes: String) throws -> String {
        let plain = trimmed(phonemes).decomposedStringWithCanonicalMapping
        guard plain.unicodeScalars.contains(where: \.isLetter) else {
            throw ModelError.badInput("there is nothing to read in this text")
        }
        return plain
    }

    /// The sentences of a string of phonemes, each with its mark.
    static func sentences(_ phonemes: String) -> [String] {
        var sentences: [String] = []
        let last = each("(?<=[.!?])" + space, phonemes) { before, _ in sentences.append(trimmed(before)) }
        return (sentences + [trimmed(last)]).filter { !$0.isEmpty }
    }

    /// The phonemes of words, a mark after each clause.
    private static func spoken(_ words: String, _ phonemizer: Phonemizer?) throws -> String {
        var made: [String] = [], held = ""
        let plain = trimmed(words.replacing(space, by: " "))
        let last = try each(#"([.,;:!?\u2026\u2014]+["'\u201d\u2019)\]]*)(?= |\z)"#, plain) { before, marks in
            held += before
            let ends = !marks.hasPrefix(".") || held.range(of: title, options: .regularExpression) == nil
            held += marks
            if ends {
                made.append(try clause(held, mark(marks), phonemizer))
                held = ""
            }
        }
        made.append(try clause(held + last, "", phonemizer))
        return made.filter { !$0.isEmpty }.joined(separator: " ")
    }

    private static func clause(_ words: String, _ mark: String, _ phonemizer: Phonemizer?) throws -> String {
        guard words.unicodeScalars.contains(where: { $0.isLetter || $0.isNumber }) else { return "" }
        guard let phonemizer else {
            throw ModelError.badInput("a voice reads phonemes: give them in [[ ]], or give a phonemizer")
        }
        // Words of other languages are marked by espeak-ng, such as "(fr)".
        let read = trimmed(try phonemizer(words).replacing(#"\([^)]*\)"#, by: "").replacing(space, by: " "))
        return read.isEmpty ? "" : read + mark
    }

    /// The mark that a voice knows: of several the strongest.
    private static func mark(_ marks: String) -> String {
        let known = marks.unicodeScalars.map { $0 == "\u{2014}" ? "," : $0 == "\u{2026}" ? "." : String($0) }
        return ["?", "!", ",", ";", ":"].first(where: known.contains) ?? "."
    }

    private static func trimmed(_ text: String) -> String { text.replacing("^\(space)|\(space)\\z", by: "") }

    /// Calls `work` with each match of a pattern and what stands before it; returns what stands behind the last.
    private static func each(_ pattern: String, _ text: String, _ work: (String, String) throws -> Void) rethrows -> String {
        let whole = text as NSString
        var from = 0
        for match in try! NSRegularExpression(pattern: pattern).matches(in: text, range: NSRange(0..<whole.length)) {
            let before = whole.substring(with: NSRange(from..<match.range.location))
            try work(before, whole.substring(with: match.range))
            from = match.range.location + match.range.length
        }
        return whole.substring(from: from)
    }
}

extension String {
    fileprivate func replacing(_ pattern: String, by other: String) -> String {
        replacingOccurrences(of: pattern, with: other, options: .regularExpression)
    }
}

extension Unicode.Scalar {
    var isLetter: Bool {
        [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
            .contains(properties.generalCategory)
    }

    fileprivate var isNumber: Bool {
        [.decimalNumber, .letterNumber, .otherNumber].contains(properties.generalCategory)
    }
}
