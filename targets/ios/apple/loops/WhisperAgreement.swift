import Foundation

/// Which words of a stream are final. A word is once two readings in a row agree about it (LocalAgreement-2: Machacek,
/// Dabre and Bojar 2023, arXiv:2307.14743), or once it lies so far back that more sound does not help it.
struct WhisperAgreement {
    /// Seconds before the end of the sound: a word that ends later may still be cut off; a word that ends earlier than the
    /// second is final whatever the last reading said.
    private static let frayed = 0.7, settled = 1.4
    /// A word that is less probable is not final because two readings agree.
    private static let unsure = 0.85

    private(set) var final: [WhisperWord] = []
    private(set) var pending: [WhisperWord] = []

    /// Makes final what two readings agree about, what is old enough, or everything.
    ///
    /// - Parameters:
    ///   - read: words behind the final ones; nil: the reading was refused, and what was pending stays so.
    ///   - end: of the sound so far, in seconds.
    ///   - all: it is settled that no more words come.
    /// - Returns: how many became final.
    mutating func accept(_ read: [WhisperWord]?, end: Double, all: Bool) -> Int {
        // No reading agrees with itself.
        let words = read ?? pending, earlier = read == nil ? [] : pending
        let count =
            words.indices.first { i in
                let word = words[i]
                let agreed =
                    i < earlier.count && Self.letters(earlier[i].word) == Self.letters(word.word)
                    && word.probability > Self.unsure
                return !(all || (agreed && word.end < end - Self.frayed) || word.end < end - Self.settled)
            } ?? words.count
        pending = Array(words[count...])
        for var word in words[..<count] {
            let floor = final.last?.end ?? 0
            word.start = max(word.start, floor)
            word.end = max(word.end, word.start)
            final.append(word)
        }
        return count
    }

    /// What is compared of a word: its letters and digits, in lower case.
    private static func letters(_ word: String) -> [Unicode.Scalar] {
        word.lowercased().unicodeScalars.filter { letter in
            switch letter.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber:
                return true
            default: return false
            }
        }
    }
}
