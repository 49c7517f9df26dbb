import Foundation

/// A note.
public struct MusicNote: Sendable, Equatable {
    /// Seconds from the start of the sound.
    public let start, end: Double
    /// As MIDI counts: 60 is the middle C.
    public let pitch: Int
    /// 1...127.
    public let velocity: Int
}

/// The notes of a sound, of any instruments.
struct PlayedNotes: TaskLoop {
    /// Seconds of a sound at most: every second takes 60 kB.
    private static let longest = 1200

    private let network: any Graph
    private let window, half, frame, perSecond, lowest, driftFrames: Int
    private let driftSeconds: Double
    /// The bundle's rules; an app may have others.
    let rules: NoteRules
    /// Samples in a second.
    let rate: Int

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let network = parts["network"] else { throw ModelError.damaged("the network is missing") }
        self.network = network
        let facts = description.facts, drift = try facts.object("drift")
        rate = try facts.int("sample_rate")
        window = try facts.int("window")
        half = try facts.int("overlap") / 2
        frame = try facts.int("frame")
        perSecond = try facts.int("frames_per_second")
        lowest = try facts.int("lowest")
        (driftFrames, driftSeconds) = (try drift.int("frames"), try drift.double("seconds"))
        rules = try NoteRules(facts.object("rules"))
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        Self.text(try await transcribe(golden.input("audio").floats(), rules))
    }

    /// The notes of a sound in order of their starts.
    ///
    /// - Throws: `ModelError.badInput`: longer than 20 minutes, or values that are not numbers.
    func transcribe(
        _ sound: any Samples, _ rules: NoteRules, progress: (Double, Double) -> Void = { _, _ in }
    ) async throws -> [MusicNote] {
        let size = sound.count, before = half * frame
        guard size <= Self.longest * rate else {
            throw ModelError.badInput("the sound is longer than \(Self.longest) seconds")
        }
        let count = size * perSecond / rate
        var notes: [Float] = [], onsets: [Float] = [], keys = 1
        for start in stride(from: -before, to: max(size, 1 - before), by: window - 2 * before) {
            try Task.checkCancellation()
            progress(Double(max(0, start)) / Double(rate), Double(size) / Double(rate))
            let held = try sound.window(from: max(0, start), most: window + min(0, start))
            let front = [Float](repeating: 0, count: max(0, -start)) + held
            let samples = front + [Float](repeating: 0, count: window - front.count)
            let made = try await network.run(["audio": Values(samples, [1, window, 1])])
            guard let note = made["note"], let onset = made["onset"], note.shape.count == 3 else {
                throw ModelError.damaged("the network gives no notes")
            }
            keys = note.shape[2]
            let kept = half * keys..<(note.shape[1] - half) * keys
            notes += try note.floats()[kept]
            onsets += try onset.floats()[kept]
        }
        let whole = count * keys
        let roll = NoteRoll.notes(Array(notes.prefix(whole)), Array(onsets.prefix(whole)), keys: keys, rules)
        return roll.map(timed).enumerated().sorted {
            let (first, second) = ($0.element, $1.element)
            return (first.start, first.pitch, $0.offset) < (second.start, second.pitch, $1.offset)
        }.map(\.element)
    }

    private func timed(_ note: NoteRoll.Note) -> MusicNote {
        let velocity = max(1, Int((127 * note.strength).rounded(.toNearestOrEven)))
        return MusicNote(
            start: seconds(note.start), end: seconds(note.end), pitch: note.key + lowest, velocity: velocity)
    }

    /// A window's frames last a little less than they count.
    private func seconds(_ at: Int) -> Double {
        max(0, Double(at * frame) / Double(rate) - Double(at / driftFrames) * driftSeconds)
    }

    /// For people.
    static func text(_ notes: [MusicNote]) -> String {
        guard let first = notes.first, let end = notes.map(\.end).max() else { return "no notes" }
        let count = notes.count > 1 ? "\(notes.count) notes" : "1 note"
        return count + String(format: " from %.2f to %.2f s", first.start, end)
    }
}
