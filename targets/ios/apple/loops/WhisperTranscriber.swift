import Foundation

/// Whisper from sound to text: windows, language, fallbacks, segments and words (after whisper/transcribe.py).
///
/// The encoder's window is as long as the sound needs, not always 30 s; if what comes out looks wrong, the window is
/// encoded again at 30 s before any other fallback. Windows of digital silence are not decoded.
struct WhisperTranscriber: TaskLoop {
    static let rate = 16_000
    private static let window = WhisperRecognizer.window
    /// Shorter sounds hold no word (seconds).
    private static let shortest = 0.1
    /// Seconds behind the last word of a window that ends with speech: if there are more, words are missing.
    private static let leftOut = 1.5
    /// Seconds at which no token of the text looks: if there are more, and somebody speaks, words are missing.
    private static let unread = 2.5
    /// A sound that never exceeds this amplitude (-70 dB of full scale) is silence.
    static let silence = Float(pow(10, -70.0 / 20))

    /// Samples that the detector of speech reads at once.
    private static let block = 160_000

    let tokens: WhisperTokens
    /// Nil in bundles of before.
    private let listener: SpeechListener?
    private let recognizer: WhisperRecognizer

    /// - Parameter parts: "frontend", "encoder", "decoder", and "detector" in newer bundles.
    init(_ parts: [String: any Graph], _ description: Description) throws {
        tokens = try WhisperTokens(description.facts.object("tokens"), vocabulary: description.vocabulary)
        recognizer = try WhisperRecognizer(parts, description, tokens)
        listener = try parts["detector"].map {
            try SpeechListener($0, description.part("detector"), description.facts.object("detector"))
        }
    }

    /// The text of a sound at 16 kHz.
    ///
    /// - Parameter progress: called with (seconds done, seconds in all).
    /// - Throws: `ModelError.badInput`: shorter than 0.1 s, values that are not numbers, an unknown language, words of a
    ///   bundle that cannot tell their times, speech alone of a bundle without a detector.
    func transcribe(
        _ sound: any Samples, _ options: WhisperOptions, progress: (Double, Double) -> Void
    ) async throws -> Transcript {
        try check(options)
        guard Double(sound.count) >= Self.shortest * Double(Self.rate) else {
            throw ModelError.badInput("the audio is too short to hold a word: at least \(Self.shortest) s")
        }
        var run = WhisperRun(options)
        if let listener, options.vad ?? (sound.count > Self.window) {
            try await speech(sound, listener, &run, progress: progress)
        } else {
            try await windows(sound, &run, progress: progress)
        }
        return Transcript(
            text: WhisperTokens.stripped(tokens.text(run.text)), language: run.language, segments: run.segments,
            words: run.words, windows: run.windows, fallbacks: run.fallbacks,
            skipped: run.skipped)
    }

    /// Text while somebody speaks.
    ///
    /// - Parameter clock: seconds, of which differences count.
    /// - Throws: `ModelError.badInput`: an unknown language, a bundle that cannot tell the times of words, speech alone of
    ///   a bundle without a detector.
    func stream(_ options: WhisperOptions, clock: @escaping () -> Double) throws -> WhisperStream {
        var options = options
        options.words = true
        try check(options)
        return WhisperStream(recognizer, listener, options, clock: clock)
    }

    private func check(_ options: WhisperOptions) throws {
        if let language = options.language, tokens.languages[language] == nil {
            throw ModelError.badInput("the language \(language) is not among this model's")
        }
        guard !options.words || recognizer.aligns else {
            throw ModelError.badInput("this bundle cannot tell the times of words; export it again")
        }
        guard options.vad != true || listener != nil else {
            throw ModelError.badInput("this bundle has no detector of speech; export it again")
        }
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        let options = WhisperOptions(vad: listener == nil ? nil : true)
        return try await transcribe(golden.input("audio").floats(), options) { _, _ in }.text
    }

    /// Slides over the sound.
    private func windows(
        _ sound: any Samples, _ run: inout WhisperRun, progress: (Double, Double) -> Void
    ) async throws {
        let rate = Double(Self.rate)
        var at = 0
        while Double(sound.count - at) >= Self.shortest * rate {
            let samples = try sound.window(from: at, most: Self.window)
            if samples.allSatisfy({ abs($0) < Self.silence }) {
                at += samples.count
            } else {
                // A sound longer than a window needs timestamps: they say where the next window starts.
                let long = run.options.timestamps || at > 0 || sound.count > Self.window
                at += try await one(samples, at: at, timestamps: long, whole: false, &run)
            }
            progress(Double(at) / rate, Double(sound.count) / rate)
        }
    }

    /// Transcribes where somebody speaks.
    private func speech(
        _ sound: any Samples, _ fresh: SpeechListener, _ run: inout WhisperRun, progress: (Double, Double) -> Void
    ) async throws {
        let rate = Double(Self.rate), seconds = Double(sound.count) / rate
        // Of a long sound: times tell which words the network left out, if nothing else does.
        let timed = run.options.timestamps || (sound.count > Self.window && !recognizer.aligns)
        var spoken = 0.0
        for span in WhisperCuts.packed(try await spans(sound, fresh)) {
            var at = Int((span.start * rate).rounded(.toNearestOrEven))
            let last = Int((span.end * rate).rounded(.toNearestOrEven))
            while Double(last - at) >= Self.shortest * rate {
                let samples = try sound.window(from: at, most: min(last - at, Self.window))
                // What lies behind the last word of the window is a pause.
                at += try await one(samples, at: at, timestamps: timed, whole: true, &run)
            }
            spoken += span.end - span.start
            progress(span.end, seconds)
        }
        run.skipped = seconds - spoken >= 1 ? seconds - spoken : 0
    }

    /// By how many samples to advance: where it gives times the network often stops early, as if a window followed.
    private func reached(_ samples: Int, at: Int, _ run: WhisperRun) -> Int {
        guard let last = run.segments.last else { return samples }
        let rate = Double(Self.rate), end = Int((last.end * rate).rounded(.toNearestOrEven)) - at
        return end > 0 && Double(samples - end) >= Self.leftOut * rate ? end : samples
    }

    private func spans(_ sound: any Samples, _ fresh: SpeechListener) async throws -> [(start: Double, end: Double)] {
        var listener = fresh, heard: [Double] = []
        for from in stride(from: 0, to: sound.count, by: Self.block) {
            heard += try await listener.push(sound.window(from: from, most: Self.block))
        }
        heard += try await listener.finish()
        return SpeechSpans.spans(heard, WhisperCuts.rules, hop: listener.hop, size: sound.count)
    }

    /// Whether somebody speaks in half of a stretch, as far as the bundle can tell.
    private func spoken(_ stretch: [Float]) async throws -> Bool {
        guard let listener, !stretch.isEmpty else { return false }
        let heard = try await spans(stretch, listener).reduce(0.0) { $0 + $1.end - $1.start }
        return 2 * heard * Double(Self.rate) >= Double(stretch.count)
    }

    /// One window; read again with times if its text says nothing of a stretch in which somebody speaks.
    ///
    /// Without times the network leaves out sentences now and then, where speakers change without a pause.
    private func complete(
        _ samples: [Float], timestamps: Bool, _ run: inout WhisperRun
    ) async throws -> WhisperRecognizer.Recognized {
        let recognized = try await recognizer.recognize(samples, timestamps: timestamps, &run)
        let settled = recognized.timed || WhisperRecognizer.silent(recognized.result)
        guard !settled, listener != nil else { return recognized }
        let gap = try recognizer.gap(recognized, samples: samples.count), seconds = gap.end - gap.begin
        guard seconds > Self.unread else { return recognized }
        let rate = Double(Self.rate), begin = Int((gap.begin * rate).rounded(.toNearestOrEven))
        let stretch = Array(samples[begin..<Int((gap.end * rate).rounded(.toNearestOrEven))])
        guard try await spoken(stretch) else { return recognized }
        run.fallbacks.append("no words for \(Numbers.round(seconds, places: 1)) s of speech: read again with times")
        let again = try await recognizer.again(recognized, samples, &run)
        let left = try recognizer.gap(again, samples: samples.count)
        return left.end - left.begin <= max(Self.unread, seconds / 2) ? again : recognized
    }

    /// Decodes one window; returns by how many samples to advance.
    ///
    /// - Parameter whole: the window ends in a pause: its last words are no beginning of what the next window holds.
    private func one(
        _ samples: [Float], at: Int, timestamps: Bool, whole: Bool, _ run: inout WhisperRun
    ) async throws -> Int {
        let recognized = try await complete(samples, timestamps: timestamps, &run)
        if WhisperRecognizer.silent(recognized.result) {
            return samples.count
        }
        let before = run.text.count
        var advance = samples.count
        run.ended = run.ended || whole || (recognized.timed && !timestamps)
        if recognized.timed {
            advance = cut(recognized.result.tokens, samples: samples.count, at: at, whole: run.ended, &run)
        } else {
            run.text += recognized.result.tokens
            if whole {
                add(recognized.result.tokens, samples: samples.count, at: at, &run)
            }
        }
        if run.options.words {
            let kept = Array(run.text[before...]), from = Double(at) / Double(Self.rate)
            run.words += try await recognizer.words(recognized, kept, Array(samples.prefix(advance)), run).map {
                Transcript.Word(
                    word: WhisperTokens.stripped($0.word), start: Numbers.round(from + $0.start, places: 3),
                    end: Numbers.round(from + $0.end, places: 3), probability: $0.probability)
            }
        }
        // A text may stop early ("Chapter 31"): what somebody says behind it is read next.
        let end = recognized.timed ? reached(advance, at: at, run) : advance
        if run.ended { return end }
        return try await spoken(Array(samples[end..<advance])) ? end : advance
    }

    /// Cuts at pairs of timestamps; returns by how many samples to advance.
    private func cut(_ ids: [Int], samples: Int, at: Int, whole: Bool, _ run: inout WhisperRun) -> Int {
        let stamp = ids.map { $0 >= tokens.firstTimestamp }, count = ids.count
        let end = Double(samples) / Double(Self.rate)
        var cuts = ids.indices.dropLast().filter { stamp[$0] && stamp[$0 + 1] }.map { $0 + 1 }
        let closed = whole || (count >= 2 && !stamp[count - 2] && stamp[count - 1])
        if cuts.isEmpty {
            let last = ids.last { $0 > tokens.firstTimestamp - 1 } ?? 0
            add(ids, 0, last > tokens.firstTimestamp ? seconds(last) : end, last: end, at: at, &run)
            return samples
        }
        if closed {
            cuts.append(count)
        }
        var begin = 0
        for cut in cuts {
            let piece = Array(ids[begin..<cut]), final = piece[piece.count - 1]
            let until = final >= tokens.firstTimestamp ? seconds(final) : end
            add(piece, seconds(piece[0]), until, last: end, at: at, &run)
            begin = cut
        }
        if closed {
            return samples
        }
        let advance = Int((seconds(ids[begin - 1]) * Double(Self.rate)).rounded(.toNearestOrEven))
        return min(advance, samples) == 0 ? samples : min(advance, samples)
    }

    /// Appends a window that ends in a pause as a segment.
    private func add(_ ids: [Int], samples: Int, at: Int, _ run: inout WhisperRun) {
        let said = WhisperTokens.stripped(tokens.text(ids)), rate = Double(Self.rate)
        guard !said.isEmpty else { return }
        run.segments.append(
            Transcript.Segment(
                start: Numbers.round(Double(at) / rate, places: 2),
                end: Numbers.round(Double(at + samples) / rate, places: 2), text: said))
    }

    /// Appends a segment of a window, which may not pass the end of the sound.
    private func add(_ ids: [Int], _ start: Double, _ end: Double, last: Double, at: Int, _ run: inout WhisperRun) {
        let said = WhisperTokens.stripped(tokens.text(ids))
        guard !said.isEmpty, end > start else { return }
        let from = Double(at) / Double(Self.rate)
        run.segments.append(
            Transcript.Segment(
                start: Numbers.round(from + min(start, last), places: 2),
                end: Numbers.round(from + min(end, last), places: 2), text: said))
        run.text += ids.filter { $0 < tokens.endOfText }
    }

    private func seconds(_ stamp: Int) -> Double {
        Double(stamp - tokens.firstTimestamp) * tokens.secondsPerTimestamp
    }
}
