import Foundation

/// What accumulates over the windows of one sound.
struct WhisperRun {
    let options: WhisperOptions
    /// Nil until it is detected.
    var language: String?
    var text: [Int] = []
    var segments: [Transcript.Segment] = []
    var words: [Transcript.Word] = []
    var windows: [Double] = []
    var fallbacks: [String] = []
    /// Seconds in which nobody speaks.
    var skipped = 0.0
    /// Speech goes on to the end of windows: of stretches of speech, and of what was read again with times.
    var ended = false
    /// Tokens that the window's text begins with, whatever the network says; they are not in its answer.
    var prefix: [Int] = []
    /// Tokens of an answer at most; nil: as many as anybody can speak in its sound.
    var most: Int?

    init(_ options: WhisperOptions) {
        self.options = options
        language = options.language
    }
}

/// A window of sound to tokens: the encoder, the prompt, and what is tried again where the result looks wrong.
struct WhisperRecognizer {
    private static let rate = WhisperTranscriber.rate, hop = 160
    static let window = 30 * rate
    private static let samples = 5, noSpeech = 0.6, logprob = -1.0

    private let frontend, encoder, decoder: any Graph
    private let decoderPart: Description.Part
    private let tokens: WhisperTokens
    private let least, margin, step, sure: Double
    private let context, blanks: Int
    /// The layer and head of each of the decoder's alignment queries; empty where it gives none.
    private let heads: [[Int]]

    init(_ parts: [String: any Graph], _ description: Description, _ tokens: WhisperTokens) throws {
        guard let frontend = parts["frontend"], let encoder = parts["encoder"], let decoder = parts["decoder"] else {
            throw ModelError.damaged("a part of Whisper is missing")
        }
        (self.frontend, self.encoder, self.decoder, self.tokens) = (frontend, encoder, decoder, tokens)
        decoderPart = try description.part("decoder")
        let window = try description.facts.object("window")
        least = try window.double("least")
        margin = try window.double("margin")
        step = try window.double("step")
        sure = window.has("sure") ? try window.double("sure") : 1
        context = try description.facts.int("text_context")
        blanks = description.facts.has("blanks") ? try description.facts.int("blanks") : 0
        heads =
            WhisperHypotheses.aligns(decoderPart)
            ? try (description.facts.value("alignment") as [[NSNumber]]).map { $0.map(\.intValue) } : []
    }

    /// Whether the bundle can tell the times of words.
    var aligns: Bool { !heads.isEmpty }

    /// The tokens of a window, and the state from which they came.
    struct Recognized {
        let result: WhisperDecoding.Result
        /// Why the result looks wrong, after all that was tried; empty if it does not.
        let doubt: String
        /// Whether there are times among the tokens.
        let timed: Bool
        fileprivate let attempt: Attempt
    }

    /// The times of words, counted from the start of the window.
    ///
    /// - Parameters:
    ///   - text: those tokens of the window that are kept.
    ///   - samples: the sound that they cover.
    func words(
        _ recognized: Recognized, _ text: [Int], _ samples: [Float], _ run: WhisperRun
    ) async throws -> [WhisperWord] {
        let attempt = recognized.attempt
        return try await WhisperWords(tokens, heads: heads, cross: attempt.encoded.cross).aligned(
            attempt.begun.hypotheses, prompt: start(run, timestamps: false), kept: text, samples: samples,
            language: run.language)
    }

    /// Whether the network says that nobody speaks, and is not sure of the words that it gave all the same.
    static func silent(_ result: WhisperDecoding.Result) -> Bool {
        result.noSpeech > noSpeech && result.averageLogprob <= logprob
    }

    /// What the encoder gave for a window.
    fileprivate struct Encoded {
        let cross: [String: any Tensor]
        let seconds: Double
    }

    /// A window whose prompt has been fed.
    fileprivate struct Attempt {
        let encoded: Encoded
        let begun: WhisperDecoding.Begun
        let rules: WhisperRules
        let limit: Int
        let timed: Bool
    }

    /// The longest stretch of a window at which no token of its text looks, in seconds; zeros if nothing tells. Where the
    /// text has times, the window ends with the last: what follows is another's.
    func gap(_ recognized: Recognized, samples: Int) throws -> (begin: Double, end: Double) {
        let result = recognized.result
        guard !result.queries.isEmpty else { return (begin: 0, end: 0) }
        var seconds = Double(samples) / Double(Self.rate)
        if let last = result.tokens.last, last > tokens.firstTimestamp {
            seconds = min(seconds, Double(last - tokens.firstTimestamp) * tokens.secondsPerTimestamp)
        }
        return try WhisperWords(tokens, heads: heads, cross: recognized.attempt.encoded.cross).gap(
            result.queries, seconds: seconds)
    }

    /// One window with fallbacks: a longer encoder window first, then rising temperatures.
    func recognize(
        _ samples: [Float], timestamps: Bool, _ run: inout WhisperRun
    ) async throws -> Recognized {
        let wanted = windowSeconds(Double(samples.count) / Double(Self.rate), run.options)
        let encoded = try await encoded(samples, seconds: wanted, &run)
        return try await settled(begun(encoded, samples, timestamps: timestamps, &run), samples, &run)
    }

    /// A window once more, with times among the tokens: from what the encoder gave for it.
    func again(_ recognized: Recognized, _ samples: [Float], _ run: inout WhisperRun) async throws -> Recognized {
        try await settled(begun(recognized.attempt.encoded, samples, timestamps: true, &run), samples, &run)
    }

    /// The result of a window, after all that is tried where it looks wrong.
    private func settled(
        _ first: Attempt, _ samples: [Float], _ run: inout WhisperRun
    ) async throws -> Recognized {
        let temperatures = run.options.temperatures
        var attempt = first
        var result = try await sampled(attempt, temperatures[0], seed: 0)
        var why = suspicious(result)
        let longer = attempt.encoded.seconds < 30 && run.options.window == nil
        if why.isEmpty && longer && !first.timed && unsure(result) {
            why = "hardly probable"
        }
        if why.isEmpty && longer && WhisperSigns.echoes(result.tokens) {
            why = "ends with an echo"
        }
        if !why.isEmpty && longer {
            run.fallbacks.append("\(why): encoded again at 30 s")
            let encoded = try await encoded(samples, seconds: 30, &run)
            attempt = try await begun(encoded, samples, timestamps: first.timed, &run)
            result = try await sampled(attempt, temperatures[0], seed: 0)
            why = suspicious(result)
        }
        for i in temperatures.indices.dropFirst() where !why.isEmpty {
            run.fallbacks.append("\(why): sampled again at temperature \(String(format: "%g", temperatures[i]))")
            result = try await sampled(attempt, temperatures[i], seed: i)
            why = suspicious(result)
        }
        return Recognized(result: result, doubt: why, timed: first.timed, attempt: attempt)
    }

    private func sampled(
        _ attempt: Attempt, _ temperature: Double, seed: Int
    ) async throws -> WhisperDecoding.Result {
        try await WhisperDecoding.sample(
            attempt.begun, attempt.rules, end: tokens.endOfText, limit: attempt.limit, temperature: temperature,
            count: Self.samples, seed: seed)
    }

    private func encoded(_ samples: [Float], seconds: Double, _ run: inout WhisperRun) async throws -> Encoded {
        run.windows.append(Numbers.round(seconds, places: 2))
        try Task.checkCancellation()
        let halves = (seconds * Double(Self.rate) / Double(2 * Self.hop)).rounded(.toNearestOrEven)
        let length = min(max(Int(halves) * 2 * Self.hop, 4 * Self.hop), Self.window)
        let padded = Array(samples.prefix(length)) + [Float](repeating: 0, count: max(0, length - samples.count))
        let mel = try await frontend.run(["audio": Values(padded, [1, length])], giving: "mel")
        return try await Encoded(cross: encoder.run(["mel": mel]), seconds: Double(length) / Double(Self.rate))
    }

    private func begun(
        _ encoded: Encoded, _ samples: [Float], timestamps: Bool, _ run: inout WhisperRun
    ) async throws -> Attempt {
        let cross = encoded.cross
        try Task.checkCancellation()
        let prompt = try await prompt(cross, timestamps: timestamps, &run)
        try Task.checkCancellation()
        let begun = try await WhisperDecoding.begin(
            WhisperHypotheses(decoder, decoderPart, cross: cross, blanks: blanks), prompt: prompt, tokens)
        let rules = WhisperRules(
            tokens, timestamps: timestamps, seconds: encoded.seconds, continued: !run.prefix.isEmpty)
        // Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
        let most = 40 + Int(15 * (Double(samples.count) / Double(Self.rate)))
        let limit = min(context / 2, run.most ?? most, most, context - prompt.count)
        return Attempt(encoded: encoded, begun: begun, rules: rules, limit: limit, timed: timestamps)
    }

    private func prompt(
        _ cross: [String: any Tensor], timestamps: Bool, _ run: inout WhisperRun
    ) async throws -> [Int] {
        if run.language == nil && !tokens.languages.isEmpty {
            run.language = try await detected(cross)
        }
        return start(run, timestamps: timestamps) + run.prefix
    }

    /// The prompt without what the text begins with.
    private func start(_ run: WhisperRun, timestamps: Bool) -> [Int] {
        var prompt = [tokens.startOfTranscript]
        if let language = run.language, let token = tokens.languages[language] {
            prompt += [token, run.options.translate ? tokens.translate : tokens.transcribe]
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

    private func windowSeconds(_ seconds: Double, _ options: WhisperOptions) -> Double {
        if let window = options.window {
            // Whole seconds: some formats hold windows of these lengths alone.
            return max(window, min(seconds.rounded(.up), 30))
        }
        return min((max(least, seconds + margin) / step).rounded(.up) * step, 30)
    }

    /// Whether the text of a short window is read again with the whole one, which costs less than a wrong text. Not so a
    /// text with times: these are less probable than words, and it often stands for a text that lacked words.
    private func unsure(_ result: WhisperDecoding.Result) -> Bool {
        Self.logprob < result.averageLogprob && result.averageLogprob < sure * Self.logprob
    }

    /// Why a result looks wrong (empty if it does not): the original's two signs, and that it never ends.
    private func suspicious(_ result: WhisperDecoding.Result) -> String {
        if Self.silent(result) {
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
