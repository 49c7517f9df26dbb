import Foundation

/// What must not be sampled next (after whisper/decoding.py).
struct WhisperRules {
    private let tokens: WhisperTokens
    private let timestamps: Bool
    private let afterLast, latestStart: Int
    private let continued: Bool

    /// - Parameters:
    ///   - seconds: length of the window: no timestamp lies behind it.
    ///   - continued: the text has begun already, so that it may end at once.
    init(_ tokens: WhisperTokens, timestamps: Bool, seconds: Double, continued: Bool) {
        self.tokens = tokens
        self.timestamps = timestamps
        self.continued = continued
        afterLast = tokens.firstTimestamp + Int((seconds / tokens.secondsPerTimestamp).rounded(.toNearestOrEven)) + 1
        // The original allows the first timestamp to lie at most one second into the window.
        latestStart = tokens.firstTimestamp + Int((1 / tokens.secondsPerTimestamp).rounded(.toNearestOrEven))
    }

    /// Logits of one hypothesis, with forbidden tokens at minus infinity, from what it sampled so far.
    func apply(_ logits: [Float], _ sampled: [Int]) -> [Float] {
        var row = logits
        forbid(&row, tokens.suppress)
        if timestamps {
            row[tokens.noTimestamps] = -.infinity
        }
        forbid(&row, afterLast, row.count)
        if sampled.isEmpty && !continued {
            forbid(&row, tokens.suppressAtBegin)
        }
        if timestamps {
            time(&row, sampled)
        }
        return row
    }

    /// Timestamps come in pairs, never go back, and open the transcript.
    private func time(_ row: inout [Float], _ sampled: [Int]) {
        let first = tokens.firstTimestamp, count = sampled.count
        if count == 0 {
            forbid(&row, 0, first)
            forbid(&row, latestStart + 1, row.count)
            return
        }
        let last = sampled[count - 1] >= first
        let before = count < 2 || sampled[count - 2] >= first
        if last && before {
            forbid(&row, first, row.count)
        } else if last {
            forbid(&row, 0, tokens.endOfText)
        }
        if let latest = sampled.last(where: { $0 >= first }) {
            // A segment has a length, so its end lies after its start; a start may equal the end before it.
            forbid(&row, first, latest + (last && !before ? 0 : 1))
        }
        if stampsAreLikelier(row) {
            forbid(&row, 0, first)
        }
    }

    /// Whether all timestamps together are more probable than the most probable word.
    private func stampsAreLikelier(_ row: [Float]) -> Bool {
        let first = tokens.firstTimestamp
        let word = row[..<first].max() ?? -.infinity, stamp = row[first...].max() ?? -.infinity
        let top = max(word, stamp)
        let sum = row[first...].reduce(0.0) { $0 + exp(Double($1 - top)) }
        return Double(top) + log(sum + 1e-30) > Double(word)
    }

    private func forbid(_ row: inout [Float], _ from: Int, _ to: Int) {
        for token in stride(from: from, to: min(to, row.count), by: 1) {
            row[token] = -.infinity
        }
    }

    private func forbid(_ row: inout [Float], _ which: [Int]) {
        for token in which {
            row[token] = -.infinity
        }
    }
}
