import Foundation

/// Speech to text. Calls may come from any task: they are answered one at a time; cancelling a task stops its call within
/// a step of the decoder.
public final class Transcriber: Sendable {
    private let model: Opened<WhisperTranscriber>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Codes of the languages that it knows, such as "en".
    public var languages: [String] { model.loop.tokens.languages.keys.sorted() }

    /// The text of a sound.
    ///
    /// - Parameters:
    ///   - sound: mono at 16 kHz, in [-1, 1]; an array, or your own `Samples` for what does not fit into memory.
    ///   - language: a code of `languages`, or nil: it is detected.
    ///   - translate: to English instead of transcribing.
    ///   - timestamps: give segments with times; always so beyond 30 s.
    ///   - words: give the times of words, at the cost of one more run of the decoder for each window.
    ///   - vad: transcribe only where somebody speaks; nil: in sounds longer than 30 s.
    ///   - progress: called with seconds done and seconds in all.
    /// - Throws: `ModelError`, `CancellationError`.
    public func transcribe(
        _ sound: any Samples & Sendable, language: String? = nil, translate: Bool = false, timestamps: Bool = false,
        words: Bool = false, vad: Bool? = nil, progress: @escaping @Sendable (Double, Double) -> Void = { _, _ in }
    ) async throws -> Transcript {
        let options = WhisperOptions(
            language: language, translate: translate, timestamps: timestamps, words: words, vad: vad)
        return try await model.use { loop in
            try await loop.transcribe(sound, options, progress: progress)
        }
    }

    /// Text while somebody speaks, from sound that comes in chunks.
    ///
    /// An element comes whenever something changed. The last one has no pending text: its words are those that became final
    /// at the end of the sound. All `text`s together are the whole text. Where the device is too slow the text comes late,
    /// and a note says so: no sound is left out. In place of a chunk with values that are not numbers silence is heard, so
    /// that times stay right, and a note says so. Whoever stops reading ends the work; other calls are answered between the
    /// chunks.
    ///
    /// The stream throws `ModelError`: an unknown language, a bundle that cannot tell the times of words, or what the
    /// runtime refuses; and what `sound` throws.
    ///
    /// - Parameters:
    ///   - sound: chunks of any number of samples, mono at 16 kHz, in [-1, 1]; such as an `AsyncStream` that a
    ///     microphone's callback fills. They wait there while others are worked on: it should hold as many as come.
    ///   - language: a code of `languages`, or nil: it is detected.
    ///   - translate: to English instead of transcribing.
    ///   - vad: false: transcribe everything that is not silent, such as singing; nil: only where somebody speaks, if the
    ///     bundle has a detector; true: a bundle without one is refused.
    public func stream<Sound: AsyncSequence & Sendable>(
        _ sound: Sound, language: String? = nil, translate: Bool = false, vad: Bool? = nil
    ) -> AsyncThrowingStream<Heard, any Error> where Sound.Element == [Float] {
        stream(sound, WhisperOptions(language: language, translate: translate, vad: vad), clock: WhisperStream.uptime)
    }

    /// The same by a clock, of whose seconds differences count.
    func stream<Sound: AsyncSequence & Sendable>(
        _ sound: Sound, _ options: WhisperOptions, clock: @escaping @Sendable () -> Double
    ) -> AsyncThrowingStream<Heard, any Error> where Sound.Element == [Float] {
        AsyncThrowingStream { heard in
            let work = Task {
                do {
                    let begun = try await model.use { loop in Begun(try loop.stream(options, clock: clock)) }
                    var before = ""
                    for try await chunk in sound {
                        let said = try await model.use { _ in try await begun.feed(chunk) }
                        if !said.words.isEmpty || !said.notes.isEmpty || said.pending != before {
                            heard.yield(said)
                        }
                        before = said.pending
                    }
                    heard.yield(try await model.use { _ in try await begun.stream.end().last })
                    heard.finish()
                } catch {
                    heard.finish(throwing: error)
                }
            }
            heard.onTermination = { _ in work.cancel() }
        }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}

/// A stream that has begun. Unchecked: it is touched by one turn of its model at a time only.
private final class Begun: @unchecked Sendable {
    let stream: WhisperStream

    init(_ stream: WhisperStream) {
        self.stream = stream
    }

    /// What a chunk changed. In place of one with values that are not numbers silence is heard, so that times stay right.
    func feed(_ chunk: [Float]) async throws -> Heard {
        if chunk.allSatisfy(\.isFinite) {
            return try await stream.feed(chunk)
        }
        let said = try await stream.feed([Float](repeating: 0, count: chunk.count))
        let note = "a chunk holds values that are not numbers: silence in its place"
        return Heard(text: said.text, words: said.words, pending: said.pending, notes: said.notes + [note])
    }
}
