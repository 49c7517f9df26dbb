import Foundation

/// Speech to text while somebody speaks.
///
/// A buffer of the last seconds is transcribed again and again, each time beginning with its final words (see
/// `WhisperAgreement`). Where the buffer grew long it is cut in a pause: an hour needs no more memory than half a minute.
/// The rules and numbers are those of models/whisper/loop/stream.py, and docs/speech.md has what they were measured by.
final class WhisperStream {
    /// Seconds of new sound that a transcription waits for; on a slow device this share of its own time, if that is more.
    private static let step = 0.4, patience = 1.1
    /// Seconds: a buffer that is longer is cut; what is left of it at most, and in silence; the most that it ever has.
    private static let long = 10.0, left = 8.0, kept = 2.0, most = 28.0
    /// The encoder's window in seconds; a longer buffer has a window of its length.
    private static let window = 15.0
    /// Seconds of silence that end an utterance, and that are kept before the next.
    private static let pause = 0.7, moment = 0.4
    /// Tokens that a reading may have, at least and for each second of new sound: beyond them it loops.
    private static let least = 12.0, pace = 8.0
    /// How far before the end of the last final word another may begin, in seconds.
    private static let border = 0.1
    /// Samples of a chunk that are taken at once.
    private static let piece = 2 * WhisperTranscriber.rate
    private static let rate = Double(WhisperTranscriber.rate)

    /// The time since the device started, in seconds.
    static let uptime: @Sendable () -> Double = { ProcessInfo.processInfo.systemUptime }

    private let recognizer: WhisperRecognizer
    private let clock: () -> Double
    /// Nil: everything may be speech.
    private var listener: SpeechListener?
    /// End of the last frame with speech since the buffer was cut, in samples.
    private var spoken: Int?
    /// End of the last frame that the detector judged.
    private var heardUntil = 0
    private var run: WhisperRun
    private var buffer: [Float] = []
    /// Of the buffer, in samples of the stream.
    private var begin = 0
    /// Samples that no transcription has seen.
    private var fresh = 0
    private var step = WhisperStream.step
    private var agreement = WhisperAgreement()
    /// The first final word that lies in the buffer.
    private var first = 0
    private var closed = false

    /// - Parameters:
    ///   - listener: a fresh detector of speech; nil: everything may be speech.
    ///   - clock: seconds, of which differences count.
    init(
        _ recognizer: WhisperRecognizer, _ listener: SpeechListener?, _ options: WhisperOptions,
        clock: @escaping () -> Double
    ) {
        self.recognizer = recognizer
        self.clock = clock
        self.listener = options.vad == false ? nil : listener
        var options = options
        options.temperatures = Array(options.temperatures.prefix(1))
        options.window = Self.window
        run = WhisperRun(options)
    }

    /// Takes the next samples at 16 kHz, of any number, and says what is new. Returns at once while there are few.
    ///
    /// - Throws: `ModelError.badInput`: values that are not numbers, and the stream goes on without that chunk; or the
    ///   stream has ended.
    func feed(_ chunk: [Float]) async throws -> Heard {
        try check()
        guard chunk.allSatisfy(\.isFinite) else {
            throw ModelError.badInput("the chunk holds values that are not numbers (NaN or infinite)")
        }
        var count = 0, notes: [String] = []
        // A chunk of minutes is taken in pieces, each of which is new sound for a transcription.
        for at in stride(from: 0, to: max(chunk.count, 1), by: Self.piece) {
            let piece = Array(chunk[at..<min(at + Self.piece, chunk.count)])
            buffer += piece
            fresh += piece.count
            try await listen(piece)
            if listener != nil && spoken == nil {
                forget()
            } else if paused {
                count += try await transcribe(&notes, settled: true)
                forget()
            } else if Double(fresh) >= step * Self.rate || full {
                count += try await transcribe(&notes, settled: false)
            }
        }
        return heard(count, notes)
    }

    /// What became final at the end, and the whole text with the times of its words. The stream takes no more.
    ///
    /// - Throws: `ModelError.badInput`: it has ended already.
    func end() async throws -> (last: Heard, whole: Transcript) {
        try check()
        closed = true
        var count = 0
        if (fresh > 0 || !agreement.pending.isEmpty) && (listener == nil || spoken != nil) {
            count = accept(try await read(), settled: true)
        }
        let all = heard(agreement.final.count, [])
        let whole = Transcript(
            text: all.text, language: run.language, segments: [], words: all.words, windows: [], fallbacks: [],
            skipped: 0)
        return (heard(count, []), whole)
    }

    private func check() throws {
        guard !closed else { throw ModelError.badInput("the stream has ended; begin another") }
    }

    /// Asks the detector about the new samples.
    private func listen(_ piece: [Float]) async throws {
        guard var listener else { return }
        for probability in try await listener.push(piece) {
            heardUntil += listener.hop
            if probability >= WhisperCuts.rules.threshold {
                spoken = heardUntil
            }
        }
        self.listener = listener
    }

    /// Whether somebody spoke, and has been silent for long enough.
    private var paused: Bool { spoken.map { Double(heardUntil - $0) > Self.pause * Self.rate } ?? false }

    /// Whether the buffer has what a window may have: then it is read, however slow the device is.
    private var full: Bool { Double(buffer.count) >= Self.most * Self.rate }

    /// Drops what nobody speaks in, but for the last moment: a word may have begun.
    private func forget() {
        cut(Double(buffer.count) / Self.rate - Self.moment)
        (first, spoken, fresh) = (agreement.final.count, nil, 0)
    }

    /// The last `count` final words.
    private func heard(_ count: Int, _ notes: [String]) -> Heard {
        let words = agreement.final.suffix(count)
        return Heard(
            text: Self.text(words),
            words: words.map {
                Transcript.Word(
                    word: WhisperTokens.stripped($0.word), start: Numbers.round($0.start, places: 3),
                    end: Numbers.round($0.end, places: 3), probability: $0.probability)
            },
            pending: Self.text(agreement.pending[...]), notes: notes)
    }

    private static func text(_ words: ArraySlice<WhisperWord>) -> String {
        WhisperTokens.stripped(words.map(\.word).joined())
    }

    /// Transcribes the buffer; how many words became final: all of them, if it is settled that no more come.
    private func transcribe(_ notes: inout [String], settled: Bool) async throws -> Int {
        let began = clock(), seconds = Double(fresh) / Self.rate, full = full
        let accepted = accept(try await read(), settled: settled)
        let took = clock() - began
        // A device that needs longer than the sound lasts works on longer pieces; none of the sound is dropped.
        step = max(Self.step, Self.patience * took)
        if took > (full ? 1 : 2) * max(seconds, Self.step) {
            let times = [took, seconds].map { String(format: "%.1f", $0) }
            notes.append("this device took \(times[0]) s for \(times[1]) s of new sound: the text comes late")
        }
        return accepted
    }

    /// The words of the buffer behind those that are final; their times from the begin of the stream. Nil where the
    /// network loops.
    private func read() async throws -> [WhisperWord]? {
        fresh = 0
        guard buffer.contains(where: { abs($0) >= WhisperTranscriber.silence }) else { return [] }
        if agreement.final.isEmpty {
            run.language = run.options.language  // of a few syllables it is a guess
        }
        let held = agreement.final[first...]
        let words = try await recognized(held.flatMap(\.tokens))
        guard let last = held.last else { return words }
        if let words {
            return Array(words.dropFirst(held.count))
        }
        // It loops: read anew, and tell by their times which words are final already.
        return try await recognized([])?.filter { $0.start > last.end - Self.border }
    }

    /// All words of the buffer, which begin with the tokens `prefix`; nil where what comes out looks wrong.
    private func recognized(_ prefix: [Int]) async throws -> [WhisperWord]? {
        let from = Double(begin) / Self.rate, known = prefix.isEmpty ? 0 : (agreement.final.last?.end ?? 0) - from
        let unread = Double(buffer.count) / Self.rate - max(known, 0)
        run.prefix = prefix
        run.most = Int(Self.least + (Self.pace * unread).rounded(.toNearestOrEven))
        let recognized = try await recognizer.recognize(buffer, timestamps: false, &run)
        if prefix.isEmpty && WhisperRecognizer.silent(recognized.result) {
            return []
        }
        guard recognized.doubt.isEmpty || recognized.doubt == "improbable" else { return nil }
        var words = try await recognizer.words(recognized, prefix + recognized.result.tokens, buffer, run)
        for i in words.indices {
            words[i].start += from
            words[i].end += from
        }
        return words
    }

    /// Makes words final and shortens the buffer; how many words.
    private func accept(_ words: [WhisperWord]?, settled: Bool) -> Int {
        let count = agreement.accept(words, end: Double(begin + buffer.count) / Self.rate, all: settled)
        shorten()
        return count
    }

    /// Cuts a buffer that grew long: in the longest pause before a final word, which stays, so that a border that is a
    /// little wrong costs nothing; where nobody spoke for long, near its end.
    private func shorten() {
        let length = Double(buffer.count) / Self.rate, from = Double(begin) / Self.rate
        guard length > Self.long else { return }
        let held = Array(agreement.final[first...])
        let silent = agreement.pending.isEmpty && (held.last.map { $0.end < from + length - Self.left } ?? true)
        let pauses = held.indices.dropLast().map { (length: held[$0 + 1].start - held[$0].end, at: $0) }
        let late = pauses.filter { held[$0.at].end > from + length - Self.left }
        let choice = late.isEmpty ? pauses.suffix(1) : late
        if !silent, let at = choice.max(by: { ($0.length, $0.at) < ($1.length, $1.at) })?.at {
            cut((held[at].end + held[at + 1].start) / 2 - from)
            first += at + 1
        }
        if silent || Double(buffer.count) > Self.most * Self.rate {
            // Not before a final word: it would be heard once more.
            cut(max(from + length - Self.kept, held.last?.end ?? 0) - Double(begin) / Self.rate)
            first = agreement.final.count
        }
    }

    /// Forgets the first seconds of the buffer.
    private func cut(_ seconds: Double) {
        let drop = min(max(Int((seconds * Self.rate).rounded(.toNearestOrEven)), 0), buffer.count)
        begin += drop
        buffer.removeFirst(drop)
    }
}
