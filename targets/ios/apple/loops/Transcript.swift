import Foundation

/// What was said.
public struct Transcript: Sendable, Equatable {
    /// A piece of it, in seconds from the start of the sound.
    public struct Segment: Sendable, Equatable {
        public let start, end: Double
        public let text: String
    }

    /// A word of it, with the marks that belong to it. Times are seconds from the start of the sound.
    public struct Word: Sendable, Equatable {
        public let word: String
        public let start, end: Double
        /// The mean over its tokens.
        public let probability: Double
    }

    public let text: String
    /// The code of the language, set or detected; nil for a model of a single language.
    public let language: String?
    /// Empty unless timestamps were asked for or the sound is longer than 30 s.
    public let segments: [Segment]
    /// Empty unless they were asked for.
    public let words: [Word]
    /// Seconds of the encoder's window, for each time that it ran.
    public let windows: [Double]
    /// What was tried again, and why.
    public let fallbacks: [String]
    /// Seconds that were left out, since the detector of speech heard none; 0 where it did not listen.
    public let skipped: Double
}
