import Foundation

/// How a text is read.
public struct VoiceManner: Sendable {
    /// 2 is twice as fast; from 0.25 to 4.
    public let speed: Double
    /// How much readings differ in sound, and in durations; from 0, not at all, to 2.
    public let noise, rhythm: Double
    /// Of the noise: the same seed reads alike.
    public let seed: UInt32

    /// - Throws: `ModelError.badInput` for a number out of range.
    public init(speed: Double = 1, noise: Double = 0.667, rhythm: Double = 0.8, seed: UInt32 = 0) throws {
        guard (0.25...4).contains(speed), (0...2).contains(noise), (0...2).contains(rhythm) else {
            throw ModelError.badInput("a speed is from 0.25 to 4, noise and rhythm are from 0 to 2")
        }
        (self.speed, self.noise, self.rhythm, self.seed) = (speed, noise, rhythm, seed)
    }

    /// Those of a bundle: "manner" of its facts.
    init(_ facts: Facts) throws {
        try self.init(
            speed: facts.double("speed"), noise: facts.double("noise"), rhythm: facts.double("rhythm"),
            seed: UInt32(clamping: facts.int("seed")))
    }
}
