import Foundation

/// Whisper's decoding of one window: greedy, or the best of several samples.
enum WhisperDecoding {
    /// One decoded window: the sampled tokens without prompt and end of text.
    struct Result {
        let tokens: [Int]
        /// Per token, end of text included.
        let averageLogprob: Double
        let noSpeech: Double
        let temperature: Double
        /// False where the length limit cut it off.
        let complete: Bool
        /// The alignment queries from which each token and the end of the text came; empty where there are none.
        let queries: [[Float]]
    }

    /// A prompt that has been fed: its hypothesis, the logits after it, and the probability of no speech.
    struct Begun {
        let hypotheses: WhisperHypotheses
        let logits: [Float]
        let noSpeech: Double
    }

    static func begin(_ fresh: WhisperHypotheses, prompt: [Int], _ tokens: WhisperTokens) async throws -> Begun {
        var hypotheses = fresh
        guard let start = prompt.firstIndex(of: tokens.startOfTranscript) else {
            throw ModelError.damaged("the prompt has no start")
        }
        let rows = try await hypotheses.step([prompt], select: [start, prompt.count - 1])[0]
        return Begun(hypotheses: hypotheses, logits: rows[1], noSpeech: exp(logprob(rows[0], tokens.noSpeech)))
    }

    /// Greedy at temperature 0, else the most probable of `count` samples.
    ///
    /// - Parameters:
    ///   - limit: most tokens to sample.
    ///   - seed: of the sampling, so that a second run gives the same text.
    static func sample(
        _ begun: Begun, _ rules: WhisperRules, end: Int, limit: Int, temperature: Double, count: Int, seed: Int
    ) async throws -> Result {
        var random = Pcg64([UInt32(seed)])
        let many = temperature > 0 ? count : 1
        var tokens = [[Int]](repeating: [], count: many)
        var logits = [[Float]](repeating: begun.logits, count: many)
        var scores = [Double](repeating: 0, count: many), done = [Bool](repeating: false, count: many)
        var hypotheses = begun.hypotheses, queries: [[Float]] = []
        try hypotheses.repeat(many)
        for _ in 0..<limit {
            try Task.checkCancellation()
            if many == 1, let newest = hypotheses.queries {
                queries.append(newest)
            }
            var chosen: [Int] = []
            for i in 0..<many {
                let ruled = rules.apply(logits[i], tokens[i])
                let token = Numbers.argmax(temperature > 0 ? noisy(ruled, Float(temperature), &random) : ruled)
                chosen.append(token)
                if !done[i] {
                    scores[i] += logprob(ruled, token)
                    done[i] = token == end
                    if !done[i] {
                        tokens[i].append(token)
                    }
                }
            }
            if done.allSatisfy({ $0 }) {
                break
            }
            logits = try await hypotheses.step(chosen.map { [$0] }, select: [0]).map { $0[0] }
        }
        // As in the original, the choice is by length without the end of text, the report by length with it.
        let shares = zip(scores, tokens).map { $0 / Double(max($1.count, 1)) }
        let best = shares.firstIndex(of: shares.max()!) ?? 0
        let average = scores[best] / Double(tokens[best].count + 1)
        return Result(
            tokens: tokens[best], averageLogprob: average, noSpeech: begun.noSpeech, temperature: temperature,
            complete: done[best], queries: queries)
    }

    private static func noisy(_ ruled: [Float], _ temperature: Float, _ random: inout Pcg64) -> [Float] {
        var noisy = ruled
        for i in noisy.indices {
            noisy[i] = ruled[i] / temperature + Float(random.gumbel())
        }
        return noisy
    }

    /// The logarithm of a token's probability.
    static func logprob(_ logits: [Float], _ token: Int) -> Double {
        let top = logits[Numbers.argmax(logits)]
        var sum = 0.0
        logits.withUnsafeBufferPointer { all in
            for value in all {
                sum += exp(Double(value - top))
            }
        }
        return Double(logits[token] - top) - log(sum)
    }
}
