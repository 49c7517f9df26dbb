import Foundation

@testable import EdgekitModel

/// Streams of speech: sound in chunks, and what was heard after each, by a clock that stands still or is slow.
struct Streams {
    let files: ModelFiles
    let parts: [String: any Graph]

    /// - Parameter given: "audio"; "chunks": their sizes, in turn; "clock": seconds from one look to the next; "vad" 0:
    ///   without the detector; "bad": before the chunk of this number one with NaN comes; "api": by the class that an app
    ///   sees; "stop": until so many elements came.
    /// - Returns: "heard": a line for each chunk that changed something, and for the end (-1): number, text, pending, notes;
    ///   without the number by "api". "final": a line for each word, as the chunks gave it. "words", "text", "language": of
    ///   the whole sound.
    func answer(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        let language = try given["language"].map { String(decoding: try $0.bytes(), as: UTF8.self) }
        let options = WhisperOptions(language: language, vad: try given["vad"].map { try $0.longs()[0] != 0 })
        let clock = Clock(Double(try given["clock"]?.floats()[0] ?? 0)), chunks = try chunks(given)
        let bad = try given["bad"].map { Int(try $0.longs()[0]) }
        if given["api"] != nil {
            let transcriber = try Transcriber(files, parts: parts), sound = Self.sequence(chunks, bad)
            let stream =
                given["clock"] == nil
                ? transcriber.stream(sound, language: language)
                : transcriber.stream(sound, options) { clock.read() }
            let stop = try given["stop"].map { Int(try $0.longs()[0]) }
            return try await asked(transcriber, stream, try given["audio"]!.floats(), options, stop: stop)
        }
        let stream = try WhisperTranscriber(parts, files.description).stream(options) { clock.read() }
        return try await looped(chunks, stream, bad)
    }

    private func chunks(_ given: [String: any Tensor]) throws -> [[Float]] {
        let samples = try given["audio"]!.floats(), sizes = try given["chunks"]!.longs().map(Int.init)
        var chunks: [[Float]] = [], at = 0
        while at < samples.count {
            let after = min(at + sizes[chunks.count % sizes.count], samples.count)
            chunks.append(Array(samples[at..<after]))
            at = after
        }
        return chunks
    }

    private func looped(
        _ chunks: [[Float]], _ stream: WhisperStream, _ bad: Int?
    ) async throws -> [(String, any Tensor)] {
        var heard = "", words = "", pending = "", answer: [(String, any Tensor)] = []
        for (i, chunk) in chunks.enumerated() {
            if i == bad {
                answer.append(("refused", text(await refusal { _ = try await stream.feed([0.1, .nan]) })))
            }
            let now = try await stream.feed(chunk)
            if !now.words.isEmpty || now.pending != pending || !now.notes.isEmpty {
                heard += "\(i)\t\(line(now))"
            }
            pending = now.pending
            words += now.words.map(line).joined()
        }
        let (last, whole) = try await stream.end()
        heard += "-1\t\(line(last))"
        words += last.words.map(line).joined()
        let ended = [
            await refusal { _ = try await stream.feed([0]) }, await refusal { _ = try await stream.end() },
        ]
        return answer + [
            ("heard", text(heard)), ("final", text(words)), ("words", text(whole.words.map(line).joined())),
            ("text", text(whole.text)), ("language", text(whole.language ?? "null")),
            ("ended", text(ended.joined(separator: ", "))),
        ]
    }

    private func refusal(_ work: () async throws -> Void) async -> String {
        do {
            try await work()
            return ""
        } catch {
            return "\(type(of: error)): \(error.localizedDescription)"
        }
    }

    private static func sequence(_ chunks: [[Float]], _ bad: Int?) -> AsyncStream<[Float]> {
        AsyncStream { microphone in
            for (i, chunk) in chunks.enumerated() {
                microphone.yield(i == bad ? chunk.map { _ in .nan } : chunk)
            }
            microphone.finish()
        }
    }

    /// What the class gives; if it is left before its end, "later" is what the model transcribes then.
    private func asked(
        _ transcriber: Transcriber, _ stream: AsyncThrowingStream<Heard, any Error>, _ whole: [Float],
        _ options: WhisperOptions, stop: Int?
    ) async throws -> [(String, any Tensor)] {
        var heard = "", words = "", count = 0
        for try await now in stream {
            heard += line(now)
            words += now.words.map(line).joined()
            count += 1
            if count == stop {
                break
            }
        }
        var answer = [("heard", text(heard)), ("final", text(words))]
        if stop != nil || Task.isCancelled {
            // In a task of its own, for this one may be cancelled.
            let later = Task { try await transcriber.transcribe(whole, language: options.language, vad: false).text }
            answer.append(("later", text(try await later.value)))
        }
        for _ in 0..<500 where Peer.one.open > 0 {
            await Task { try? await Task.sleep(nanoseconds: 10_000_000) }.value  // what the stream held goes with its task
        }
        return answer
    }

    private func line(_ heard: Heard) -> String {
        "\(heard.text)\t\(heard.pending)\t\(heard.notes.joined(separator: " "))\n"
    }

    private func line(_ word: Transcript.Word) -> String {
        "\(word.word)\t\(word.start)\t\(word.end)\t\(word.probability)\n"
    }

    /// A clock on which so many seconds pass from one look to the next.
    private final class Clock: @unchecked Sendable {
        private let passes: Double
        private var time = 0.0

        init(_ passes: Double) {
            self.passes = passes
        }

        func read() -> Double {
            time += passes
            return time
        }
    }
}
