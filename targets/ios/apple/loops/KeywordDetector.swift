import Foundation

/// Words or a wake phrase in sound at 16 kHz that comes in pieces of any size. What it gives in all does not depend on
/// where the sound was cut.
final class KeywordDetector: TaskLoop {
    private let ear: any KeywordEar
    let rules: KeywordRules
    private var judge: KeywordJudge
    private var held: [Int16] = []

    init(_ parts: [String: any Graph], _ description: Description) throws {
        ear =
            description.facts.has("silence")
            ? try OpenWakewordEar(parts, description) : try KeywordWindowEar(parts, description)
        rules = try KeywordRules(description.facts)
        judge = KeywordJudge(rules)
        reset()
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        let events = try await feed(Self.pcm(golden.input("audio").floats()))
        return events.map { "\($0.word) at \(String(format: "%.2f", $0.time)) s" }.joined(separator: ", ")
    }

    /// Forgets all sound so far; times count from here.
    func reset() {
        ear.reset()
        judge = KeywordJudge(rules)
        held = Array(repeating: 0, count: ear.before)
    }

    /// Takes the next samples; returns the events that they complete, mostly none.
    func feed(_ chunk: [Int16]) async throws -> [KeywordEvent] {
        held += chunk
        var events: [KeywordEvent] = [], at = 0
        defer { held.removeFirst(at) }
        while held.count - at >= ear.size {
            try Task.checkCancellation()
            let window = held[at..<at + ear.size].map { Float($0) / 32768 }
            at += ear.hop
            if let event = judge.push(try await ear.look(window)) {
                events.append(event)
            }
        }
        return events
    }

    /// Floats in [-1, 1] as the samples that `feed` takes. Throws `ModelError.badInput` for values that are not numbers.
    static func pcm(_ samples: [Float]) throws -> [Int16] {
        guard samples.allSatisfy(\.isFinite) else {
            throw ModelError.badInput("the sound holds values that are not numbers (NaN or infinite)")
        }
        return samples.map { Int16(max(-32768, min(32767, ($0 * 32768).rounded(.toNearestOrEven)))) }
    }
}
