import Foundation

@testable import EdgekitModel

// Answers samples that Python sends, by the loops alone. Argument: a folder with model.json and what belongs to it.

func text(_ text: String) -> any Tensor { Values(Array(text.utf8), [text.utf8.count]) }
func told(_ report: SelfTestReport) -> [(String, any Tensor)] {
    [
        ("passed", Values([Int64(report.passed ? 1 : 0)], [1])), ("said", text(report.answer)),
        ("expected", text(report.expected)), ("parts", text(report.errors.keys.sorted().joined(separator: " "))),
        ("worst", floats([report.errors.values.max() ?? -1])),
    ]
}
func floats(_ values: [Double]) -> any Tensor { Values(values.map(Float.init), [values.count]) }

struct Loops {
    let files: ModelFiles
    let parts: [String: any Graph]
    var description: Description { files.description }

    func answer(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        func number(_ name: String) throws -> Int? { try given[name].map { Int(try $0.longs()[0]) } }
        if let size = given["resize"], let pixels = given["pixels"] {
            let sizes = try size.longs().map(Int.init)
            let picture = try Pixels(rgb: pixels.bytes(), height: pixels.shape[0], width: pixels.shape[1])
            let made = Resample.resize(picture, height: sizes[0], width: sizes[1], Resample.Filter(rawValue: sizes[2])!)
            return [("pixels", Values(made.rgb, [made.rgb.count]))]
        }
        if let seed = try given["seed"]?.longs().map({ UInt32($0) }) {
            var random = Pcg64(seed), noise = GaussianNoise(random)
            let normal = (0..<40_000).map { _ in noise.next() }
            return [
                ("gumbel", floats((0..<1000).map { _ in random.gumbel() })), ("normal", Values(normal, [normal.count])),
            ]
        }
        if let task = try given["task"].map({ String(decoding: try $0.bytes(), as: UTF8.self) }) {
            return try await TaskLoops(description: description, parts: parts).answer(task, given)
        }
        if let loop = try given["self test"].map({ String(decoding: try $0.bytes(), as: UTF8.self) }) {
            guard let test = SelfTests.all[loop] else { throw ModelError.badInput("\(loop) is not in the list of self-tests") }
            return told(try await test(files, parts))
        }
        switch description.family {
        case "whisper": return try await whisper(given)
        case "vision": return try await vision(given)
        case "speaker":
            let embedding = try await SpeakerEmbedder(parts, description).embed(try given["audio"]!.floats())
            return [("embedding", Values(embedding, [embedding.count]))]
        default: return try await keywords(given, piece: number("piece")!)
        }
    }

    private func whisper(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        if given["chunks"] != nil {
            return try await Streams(files: files, parts: parts).answer(given)
        }
        let transcriber = try WhisperTranscriber(parts, description)
        if let tokens = given["decode"] {
            let said = transcriber.tokens.text(try tokens.longs().map(Int.init))
            return [("text", text(said)), ("stripped", text(WhisperTokens.stripped(said)))]
        }
        let language = try given["language"].map { String(decoding: try $0.bytes(), as: UTF8.self) }
        let made = try await transcriber.transcribe(
            try given["audio"]!.floats(),
            WhisperOptions(
                language: language, translate: given["translate"] != nil, timestamps: given["timestamps"] != nil,
                words: given["words"] != nil)
        ) { _, _ in }
        let segments = made.segments.map { "\($0.start)\t\($0.end)\t\($0.text)\n" }.joined()
        return [
            ("text", text(made.text)), ("language", text(made.language ?? "null")),
            ("fallbacks", text(made.fallbacks.joined(separator: "\n"))), ("windows", floats(made.windows)),
            ("segments", text(segments)),
            ("words", text(made.words.map { "\($0.word)\t\($0.start)\t\($0.end)\t\($0.probability)\n" }.joined())),
        ]
    }

    private func vision(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        let pixels = given["pixels"]!
        let picture = try Pixels(rgb: pixels.bytes(), height: pixels.shape[0], width: pixels.shape[1])
        let classifier = try ImageClassifier(parts, description)
        let fitted = classifier.fitted(picture), ranking = try await classifier.classify(picture, top: 5)
        return [
            ("fitted", Values(fitted.rgb, [fitted.rgb.count])), ("scores", floats(ranking.map { Double($0.score) })),
            ("labels", text(ranking.map { "\($0.classIndex)\t\($0.label)\n" }.joined())),
        ]
    }

    private func keywords(_ given: [String: any Tensor], piece: Int) async throws -> [(String, any Tensor)] {
        let detector = try KeywordDetector(parts, description)
        let samples = try KeywordDetector.pcm(try given["audio"]!.floats())
        var events: [KeywordEvent] = []
        for at in stride(from: 0, to: samples.count, by: piece) {
            events += try await detector.feed(Array(samples[at..<min(at + piece, samples.count)]))
        }
        return [("events", text(events.map { "\($0.word)\t\($0.time)\t\($0.score)\n" }.joined()))]
    }
}

let folder = URL(fileURLWithPath: CommandLine.arguments[1])
let files = try ModelFiles(folder: folder)
let parts = files.description.parts.map { ($0.name, Peer.Part($0.name) as any Graph) }
let loops = Loops(files: files, parts: Dictionary(uniqueKeysWithValues: parts))
while let given = try? Peer.one.receive() {
    var answer: [(String, any Tensor)]
    do {
        let samples = Dictionary(given) { first, _ in first }
        let work = Task { try await loops.answer(samples) }
        if let after = samples["cancel after"] {
            Peer.one.cancel = (Int(try after.longs()[0]), { work.cancel() })
        }
        answer = try await work.value
    } catch {
        answer = [("error", text("\(type(of: error)): \(error.localizedDescription)"))]
    }
    Peer.one.cancel = nil
    answer.append(("open", Values([Int64(Peer.one.open)], [1])))
    try Peer.one.send("answer", answer)
}
