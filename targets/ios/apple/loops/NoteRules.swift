import Foundation

/// How notes follow from activations in 0...1.
public struct NoteRules: Sendable {
    /// Least activation of an onset, and with which a note goes on.
    public let onset, frame: Double
    /// Frames that a note must exceed; frames below `frame` after which a note has ended.
    public let shortest, tolerance: Int

    /// - Throws: `ModelError.badInput` for an activation outside of 0...1, or frames below 0.
    public init(onset: Double = 0.5, frame: Double = 0.3, shortest: Int = 11, tolerance: Int = 11) throws {
        guard (0...1).contains(onset), (0...1).contains(frame), shortest >= 0, tolerance >= 0 else {
            throw ModelError.badInput("activations are from 0 to 1, and frames from 0 on")
        }
        (self.onset, self.frame, self.shortest, self.tolerance) = (onset, frame, shortest, tolerance)
    }

    /// Those of a bundle: "rules" of its facts.
    init(_ facts: Facts) throws {
        try self.init(
            onset: facts.double("onset"), frame: facts.double("frame"), shortest: facts.int("shortest"),
            tolerance: facts.int("tolerance"))
    }
}
