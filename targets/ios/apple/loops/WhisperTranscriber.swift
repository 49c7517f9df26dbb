import Foundation

/// Whisper from sound to text: windows, language, fallbacks and segments (after whisper/transcribe.py).
///
/// The encoder's window is as long as the sound needs, not always 30 s; if what comes out looks wrong, the window is
/// encoded again at 30 s before any other fallback. Windows of digital silence are not decoded.
struct WhisperTranscriber {
    static let rate = 16_000
    private static let hop = 160, window = 30 * rate
    /// Shorter sounds hold no word (seconds).
    private static let shortest = 0.1
    /// A sound that never exceeds this amplitude (-70 dB of full scale) is silence.
    private static let silence = Float(pow(10, -70.0 / 20))
    private static let temperatures = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    private static let samples = 5, noSpeech = 0.6, logprob = -1.0

    private let frontend, encoder, decoder: any Graph
    private let decoderPart: Description.Part
    let tokens: WhisperTokens
    private let least, margin, step: Double
    private let context, blanks: Int

    /// - Parameters:
    ///   - parts: "frontend", "encoder" and "decoder".
    ///   - vocabulary: the file vocabulary.bin.
    init(_ parts: [String: any Graph], _ description: Description, vocabulary: Data) throws {
        guard let frontend = parts["frontend"], let encoder = parts["encoder"], let decoder = parts["decoder"] else {
            throw ModelError.damaged("a part of Whisper is missing")
        }
        (self.frontend, self.encoder, self.decoder) = (frontend, encoder, decoder)
        decoderPart = try description.part("decoder")
        tokens = try WhisperTokens(description.facts.object("tokens"), vocabulary: vocabulary)
        let window = try description.facts.object("window")
        least = try window.double("least")
        margin = try window.double("margin")
        step = try window.double("step")
        context = try description.facts.int("text_context")
        blanks = description.facts.has("blanks") ? try description.facts.int("blanks") : 0
    }

    /// The text of a sound at 16 kHz.
    ///
    /// - Parameters:
    ///   - language: a key of `tokens.languages`, or nil: it is detected.
    ///   - translate: to English instead of transcribing.
    ///   - timestamps: give segments with times; always so beyond 30 s, where they carry the windows forward.
    ///   - progress: called with (seconds done, seconds in all).
    /// - Throws: `ModelError.badInput`: shorter than 0.1 s, values that are not numbers, an unknown language.
    func transcribe(
        _ sound: any Samples, language: String?, translate: Bool, timestamps: Bool, progress: (Double, Double) -> Void
    ) async throws -> Transcript {
        if let language, tokens.languages[language] == nil {
            throw ModelError.badInput("the language \(language) is not among this model's")
        }
        let rate = Double(Self.rate)
        guard Double(sound.count) >= Self.shortest * rate else {
            throw ModelError.badInput("the audio is too short to hold a word: at least \(Self.shortest) s")
        }
        var run = Run(language: language, translate: translate)
        var at = 0
        while Double(sound.count - at) >= Self.shortest * rate {
            let samples = try sound.window(from: at, most: Self.window)
            if samples.allSatisfy({ abs($0) < Self.silence }) {
                at += samples.count
            } else {
                // A sound longer than a window needs timestamps: they say where the next window starts.
                let long = timestamps || at > 0 || sound.count > Self.window
                at += try await one(samples, at: at, timestamps: long, &run)
            }
            progress(Double(at) / rate, Double(sound.count) / rate)
        }
        return Transcript(
            text: WhisperTokens.stripped(tokens.text(run.text)), language: run.language, segments: run.segments,
            windows: run.windows, fallbacks: run.fallbacks)
    }

    /// What accumulates over the windows of one sound.
    private struct Run {
        var language: String?
        let translate: Bool
        var text: [Int] = []
        var segments: [Transcript.Segment] = []
        var windows: [Double] = []
        var fallbacks: [String] = []
    }

    /// A window that has been encoded and whose prompt has been fed, at one length of the encoder's window.
    private struct Attempt {
        let begun: WhisperDecoding.Begun
        let rules: WhisperRules
        let limit: Int
    }

    /// Decodes one window; returns by how many samples to advance.
    private func one(_ samples: [Float], at: Int, timestamps: Bool, _ run: inout Run) async throws -> Int {
        let result = try await decoded(samples, timestamps: timestamps, &run)
        if silent(result) {
            return samples.count
        }
        if timestamps {
            return cut(result.tokens, samples: samples.count, at: at, &run)
        }
        run.text += result.tokens
        return samples.count
    }

    /// One window with fallbacks: a longer encoder window first, then rising temperatures.
    private func decoded(
        _ samples: [Float], timestamps: Bool, _ run: inout Run
    ) async throws -> WhisperDecoding.Result {
        let wanted = windowSeconds(Double(samples.count) / Double(Self.rate))
        var attempt = try await begun(samples, window: wanted, timestamps: timestamps, &run)
        var result = try await sampled(attempt, 0)
        var why = suspicious(result)
        if why.isEmpty && wanted < 30 && WhisperSigns.echoes(result.tokens) {
            why = "ends with an echo"
        }
        if !why.isEmpty && wanted < 30 {
            run.fallbacks.append("\(why): encoded again at 30 s")
            attempt = try await begun(samples, window: 30, timestamps: timestamps, &run)
            result = try await sampled(attempt, 0)
            why = suspicious(result)
        }
        for i in 1..<Self.temperatures.count where !why.isEmpty {
            run.fallbacks.append("\(why): sampled again at temperature \(Self.temperatures[i])")
            result = try await sampled(attempt, i)
            why = suspicious(result)
        }
        return result
    }

    private func sampled(_ attempt: Attempt, _ temperature: Int) async throws -> WhisperDecoding.Result {
        try await WhisperDecoding.sample(
            attempt.begun, attempt.rules, end: tokens.endOfText, limit: attempt.limit,
            temperature: Self.temperatures[temperature], count: Self.samples, seed: temperature)
    }

    private func begun(
        _ samples: [Float], window: Double, timestamps: Bool, _ run: inout Run
    ) async throws -> Attempt {
        run.windows.append(Numbers.round(window, places: 2))
        try Task.checkCancellation()
        let halves = (window * Double(Self.rate) / Double(2 * Self.hop)).rounded(.toNearestOrEven)
        let length = min(max(Int(halves) * 2 * Self.hop, 4 * Self.hop), Self.window)
        let padded = Array(samples.prefix(length)) + [Float](repeating: 0, count: max(0, length - samples.count))
        let mel = try await frontend.run(["audio": Values(padded, [1, length])], giving: "mel")
        let cross = try await encoder.run(["mel": mel])
        try Task.checkCancellation()
        let prompt = try await prompt(cross, timestamps: timestamps, &run)
        try Task.checkCancellation()
        let begun = try await WhisperDecoding.begin(
            WhisperHypotheses(decoder, decoderPart, cross: cross, blanks: blanks), prompt: prompt, tokens)
        let rules = WhisperRules(tokens, timestamps: timestamps, seconds: Double(length) / Double(Self.rate))
        // Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
        let most = 40 + Int(15 * (Double(samples.count) / Double(Self.rate)))
        return Attempt(begun: begun, rules: rules, limit: min(context / 2, most, context - prompt.count))
    }

    private func prompt(
        _ cross: [String: any Tensor], timestamps: Bool, _ run: inout Run
    ) async throws -> [Int] {
        var prompt = [tokens.startOfTranscript]
        if !tokens.languages.isEmpty {
            if run.language == nil {
                run.language = try await detected(cross)
            }
            prompt += [tokens.languages[run.language!]!, run.translate ? tokens.translate : tokens.transcribe]
        }
        return timestamps ? prompt : prompt + [tokens.noTimestamps]
    }

    private func detected(_ cross: [String: any Tensor]) async throws -> String {
        var hypothesis = WhisperHypotheses(decoder, decoderPart, cross: cross, blanks: blanks)
        let logits = try await hypothesis.step([[tokens.startOfTranscript]], select: [0])[0][0]
        // Of equal ones, the first token.
        let ordered = tokens.languages.sorted { $0.value < $1.value }
        return ordered.dropFirst().reduce(ordered[0]) { logits[$1.value] > logits[$0.value] ? $1 : $0 }.key
    }

    /// Cuts at pairs of timestamps; returns by how many samples to advance.
    private func cut(_ ids: [Int], samples: Int, at: Int, _ run: inout Run) -> Int {
        let stamp = ids.map { $0 >= tokens.firstTimestamp }, count = ids.count
        let end = Double(samples) / Double(Self.rate)
        var cuts = ids.indices.dropLast().filter { stamp[$0] && stamp[$0 + 1] }.map { $0 + 1 }
        let closed = count >= 2 && !stamp[count - 2] && stamp[count - 1]
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
            let piece = Array(ids[begin..<cut])
            add(piece, seconds(piece[0]), seconds(piece[piece.count - 1]), last: end, at: at, &run)
            begin = cut
        }
        if closed {
            return samples
        }
        let advance = Int((seconds(ids[begin - 1]) * Double(Self.rate)).rounded(.toNearestOrEven))
        return min(advance, samples) == 0 ? samples : min(advance, samples)
    }

    /// Appends a segment of a window, which may not pass the end of the sound.
    private func add(_ ids: [Int], _ start: Double, _ end: Double, last: Double, at: Int, _ run: inout Run) {
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

    private func windowSeconds(_ seconds: Double) -> Double {
        min((max(least, seconds + margin) / step).rounded(.up) * step, 30)
    }

    private func silent(_ result: WhisperDecoding.Result) -> Bool {
        result.noSpeech > Self.noSpeech && result.averageLogprob <= Self.logprob
    }

    /// Why a result looks wrong (empty if it does not): the original's two signs, and that it never ends.
    private func suspicious(_ result: WhisperDecoding.Result) -> String {
        if silent(result) {
            return ""
        }
        if WhisperSigns.repetitive(WhisperTokens.stripped(tokens.text(result.tokens))) {
            return "repetitive"
        }
        if !result.complete {
            return "endless"
        }
        return result.averageLogprob < Self.logprob ? "improbable" : ""
    }
}
