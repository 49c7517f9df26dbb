/// What a chunk of a stream changed.
public struct Heard: Sendable, Equatable {
    /// Words that are final since the last chunk; they never change.
    public let text: String
    /// The same with their times, in seconds from the begin of the stream.
    public let words: [Transcript.Word]
    /// What may come next, as far as it is known; it may change.
    public let pending: String
    /// What the listener should know: a device that is too slow, a chunk that was refused.
    public let notes: [String]
}
