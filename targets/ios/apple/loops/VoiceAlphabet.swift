import Foundation

/// Phonemes as ids of a voice's table, in pieces that a network takes at once.
struct VoiceAlphabet {
    /// Phoneme to its ids.
    private let table: [Unicode.Scalar: [Int]]
    /// What stands between all, and at the begin and the end.
    private let between, begin, end: [Int]

    /// - Parameter facts: "alphabet" of the bundle's facts.
    init(_ facts: Facts) throws {
        between = try facts.ints("_")
        begin = try facts.ints("^")
        end = try facts.ints("$")
        var table: [Unicode.Scalar: [Int]] = [:]
        for name in facts.members.keys where name.unicodeScalars.count == 1 {
            table[name.unicodeScalars.first!] = try facts.ints(name)
        }
        self.table = table
    }

    /// The phonemes that it does not know, which are left out.
    func unknown(_ phonemes: String) -> [String] {
        Set(phonemes.unicodeScalars).filter { table[$0] == nil }.sorted().map { String($0) }
    }

    /// The ids of a sentence; of a long one in pieces of at most `most` ids, cut behind a comma or a word.
    ///
    /// - Throws: `ModelError.badInput`: the voice knows none of its phonemes.
    func pieces(_ sentence: String, most: Int) throws -> [[Int]] {
        var known = sentence.unicodeScalars.filter { table[$0] != nil }[...]
        guard known.contains(where: \.isLetter) else {
            throw ModelError.badInput("the voice knows no phoneme of this sentence")
        }
        let widest = known.map { table[$0]!.count + between.count }.max()!
        let room = max(1, (most - begin.count - between.count - end.count) / widest)
        var pieces: [[Int]] = []
        while !known.isEmpty {
            let cut = Self.cut(Array(known), room)
            pieces.append(begin + between + known.prefix(cut).flatMap { table[$0]! + between } + end)
            known = known.dropFirst(cut)
        }
        return pieces
    }

    /// How many letters go into the next piece.
    private static func cut(_ letters: [Unicode.Scalar], _ room: Int) -> Int {
        if letters.count <= room {
            return letters.count
        }
        let places = stride(from: room - 1, to: room / 2, by: -1).filter { letters[$0] == " " }
        let marked = places.first { [",", ";", ":"].contains(letters[$0 - 1]) }
        return (marked ?? places.first).map { $0 + 1 } ?? room
    }
}
