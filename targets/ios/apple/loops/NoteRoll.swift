/// From activations of notes and of their onsets to notes (Bittner et al. 2022, arXiv:2203.09893, section 2.3). Each note is
/// taken away with its neighbours a semitone beside.
struct NoteRoll {
    /// Frames over which a rise of a note's activation counts as an onset.
    private static let rise = 2

    /// A note in frames: the first, the first behind it, its key (0 is the lowest), its mean activation.
    struct Note {
        let start, end, key: Int
        let strength: Double
    }

    private let frames: [Float]
    private var left: [Float]
    private let keys, count: Int
    private let least: Float
    private let rules: NoteRules
    private var notes: [Note] = []

    private init(_ frames: [Float], keys: Int, _ rules: NoteRules) {
        (self.frames, left, self.keys, self.rules) = (frames, frames, keys, rules)
        count = frames.count / keys
        least = Float(rules.frame)
    }

    /// Notes, first those that begin with an onset (the latest first), then those in what is left.
    static func notes(_ frames: [Float], _ onsets: [Float], keys: Int, _ rules: NoteRules) -> [Note] {
        var roll = NoteRoll(frames, keys: keys, rules)
        let starts = roll.withRises(onsets)
        for at in stride(from: frames.count - keys - 1, through: keys, by: -1) {
            let here = starts[at]
            if here > starts[at - keys] && here > starts[at + keys] && here >= Float(rules.onset) {
                roll.fromOnset(at / keys, at % keys)
            }
        }
        roll.loudest()
        return roll.notes
    }

    /// The larger of onsets and rises of the activation of notes, these scaled to the same maximum.
    private func withRises(_ onsets: [Float]) -> [Float] {
        let rises = frames.indices.map { at -> Float in
            guard at >= Self.rise * keys else { return 0 }
            return max(0, (1...Self.rise).map { frames[at] - frames[at - $0 * keys] }.min()!)
        }
        let most = rises.max() ?? 0, highest = onsets.max() ?? 0
        return most > 0 ? zip(onsets, rises).map { max($0, highest * $1 / most) } : onsets
    }

    /// The note that begins here, until its activation has been low for a while, unless it is too short.
    private mutating func fromOnset(_ start: Int, _ key: Int) {
        let last = count - 1
        guard start < last else { return }
        var low = 0, end = start + 1
        for at in start + 1..<max(start + 1, last) {
            low = left[at * keys + key] < least ? low + 1 : 0
            end = at + 1 - low
            if low >= rules.tolerance {
                break
            }
        }
        if end - start > rules.shortest {
            take(start, end, key)
            add(start, end, key)
        }
    }

    /// The notes around the largest activations, as long as these can be a note's.
    private mutating func loudest() {
        let before = left
        let places = before.indices.filter { before[$0] > least }
        for at in places.sorted(by: { before[$0] != before[$1] ? before[$0] > before[$1] : $0 < $1 }) where left[at] != 0 {
            around(at / keys, at % keys)
        }
    }

    /// The note around a frame, unless it is too short. What was looked at is taken away in either case.
    private mutating func around(_ middle: Int, _ key: Int) {
        left[middle * keys + key] = 0
        let end = walk(middle + 1, 1, key) - 1, start = walk(middle - 1, -1, key) + 1
        if end - start > rules.shortest {
            add(start, end, key)
        }
    }

    /// The first frame that was not looked at, without the low ones before it; those looked at are taken away.
    private mutating func walk(_ from: Int, _ step: Int, _ key: Int) -> Int {
        var low = 0, at = from
        while at > 0 && at < count - 1 && low < rules.tolerance {
            low = left[at * keys + key] < least ? low + 1 : 0
            take(at, at + 1, key)
            at += step
        }
        return at - step * low
    }

    private mutating func take(_ start: Int, _ end: Int, _ key: Int) {
        for at in start..<end {
            for beside in max(0, key - 1)..<min(keys, key + 2) {
                left[at * keys + beside] = 0
            }
        }
    }

    private mutating func add(_ start: Int, _ end: Int, _ key: Int) {
        let sum = (start..<end).reduce(0.0) { $0 + Double(frames[$1 * keys + key]) }
        notes.append(Note(start: start, end: end, key: key, strength: Double(Float(sum / Double(end - start)))))
    }
}
