import Foundation

/// What was said.
public struct Transcript: Sendable, Equatable {
    /// A piece of it, in seconds from the start of the sound.
    public struct Segment: Sendable, Equatable {
        public let start, end: Double
        public let text: String
    }

    public let text: String
    /// The code of the language, set or detected; nil for a model of a single language.
    public let language: String?
    /// Empty unless timestamps were asked for or the sound is longer than 30 s.
    public let segments: [Segment]
    /// Seconds of the encoder's window, for each time that it ran.
    public let windows: [Double]
    /// What was tried again, and why.
    public let fallbacks: [String]
}
