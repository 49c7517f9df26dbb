import Foundation

@testable import EdgekitModel

/// Answers samples by the loop of a task, whose name Python sends.
struct TaskLoops {
    let description: Description
    let parts: [String: any Graph]

    func answer(_ task: String, _ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        switch task {
        case "tensors": return try await tensors(given)
        case "image-classification":
            return ranked(try await ImageClassifier(parts, description).classify(try pixels(given), top: 5))
        case "audio-classification":
            return ranked(try await SoundLabels(parts, description).classify(try given["audio"]!.floats(), top: 5))
        case "automatic-speech-recognition":
            return [("text", text(try await CtcLetters(parts, description).transcribe(try given["audio"]!.floats())))]
        case "voice-activity-detection": return try await speech(given)
        case "image-to-text":
            let lines = try await PictureText(parts, description).read(try pixels(given))
            let numbers = lines.flatMap { [$0.score] + $0.corners.flatMap { [$0.x, $0.y] } }
            return [("numbers", floats(numbers)), ("text", text(lines.map(\.text).joined(separator: "\n")))]
        case "automatic-music-transcription":
            let loop = try PlayedNotes(parts, description)
            let rules = try given["rules"].map { tensor -> NoteRules in
                let r = try tensor.floats().map(Double.init)
                return try NoteRules(onset: r[0], frame: r[1], shortest: Int(r[2]), tolerance: Int(r[3]))
            }
            let notes = try await loop.transcribe(try given["audio"]!.floats(), rules ?? loop.rules)
            let numbers = notes.flatMap { [$0.start, $0.end, Double($0.pitch), Double($0.velocity)] }
            return [("numbers", floats(numbers)), ("text", text(PlayedNotes.text(notes)))]
        case "reinforcement-learning":
            let policy = try PolicySteering(parts, description), action = try await policy.act(given["numbers"]!.floats())
            return [("action", floats(action.map(Double.init))), ("applied", floats(policy.applied(action).map(Double.init)))]
        case "object-detection":
            let loop = try BoxDetector(parts, description)
            let threshold = try given["threshold"].map { Double(try $0.floats()[0]) } ?? loop.threshold
            let objects = try await loop.detect(try pixels(given), threshold: threshold)
            let numbers = objects.flatMap { object in
                [object.score] + ([object.topLeft, object.bottomRight] + object.points).flatMap { [$0.x, $0.y] }
            }
            return [("numbers", floats(numbers)), ("text", text(DetectedObject.text(objects)))]
        case "image-segmentation":
            let mask = try await PictureAreas(parts, description).segment(try pixels(given))
            return [("pixels", Values(mask.classes, [mask.height, mask.width])), ("text", text(mask.text))]
        case "keypoint-detection":
            let things = try await PictureKeypoints(parts, description).find(try pixels(given))
            let numbers = things.flatMap { [$0.score] + $0.points.flatMap { [$0.place.x, $0.place.y] } }
            return [("numbers", floats(numbers)), ("text", text(PictureKeypoints.text(things)))]
        case "time-series-forecasting":
            let loop = try SeriesForecast(parts, description)
            let steps = try given["steps"].map { Int(try $0.longs()[0]) } ?? loop.horizon
            let made = try await loop.forecast(try given["numbers"]!.floats().map(Double.init), steps: steps)
            return [("quantiles", floats(made.quantiles.flatMap { $0 })), ("text", text(made.text))]
        case "text-to-speech": return try await speak(given)
        default:
            let loop = try SentenceVectors(parts, description)
            let vector = try await loop.embed(String(decoding: try given["text"]!.bytes(), as: UTF8.self))
            return [("embedding", floats(vector.map(Double.init)))]
        }
    }

    /// Tensors in the order of their names, which stand in lines.
    private func tensors(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        let loop = try TensorChain(parts, description)
        let names = String(decoding: try given["names"]!.bytes(), as: UTF8.self).split(separator: "\n").map(String.init)
        let tensors = try names.indices.map { (names[$0], try given["tensor \($0)"]!.copy()) }
        let inputs = Dictionary(uniqueKeysWithValues: tensors), made = try await loop.run(inputs)
        let answers = loop.outputs.enumerated().map { ("tensor \($0)", made[$1.name]! as any Tensor) }
        return answers + [("names", text(loop.outputs.map(\.name).joined(separator: "\n")))]
    }

    private func ranked(_ ranking: [Ranked]) -> [(String, any Tensor)] {
        [
            ("scores", floats(ranking.map { Double($0.score) })),
            ("labels", text(ranking.map { "\($0.classIndex)\t\($0.label)\n" }.joined())),
        ]
    }

    private func pixels(_ given: [String: any Tensor]) throws -> Pixels { try Pixels(given["pixels"]!) }

    /// With "words" by a phonemizer that keeps letters and shows where a clause ends.
    private func speak(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        let loop = try VoiceReader(parts, description), said = String(decoding: try given["text"]!.bytes(), as: UTF8.self)
        let manner = try given["manner"].map { tensor -> VoiceManner in
            let m = try tensor.floats().map(Double.init)
            return try VoiceManner(speed: m[0], noise: m[1], rhythm: m[2], seed: UInt32(m[3]))
        }
        let phonemizer: Phonemizer = { "(fr)" + String($0.filter { !".,;:!?".contains($0) }) + " x" }
        let sound: VoiceSound
        if given["phonemes"] != nil {
            sound = try await loop.speak(said, manner ?? loop.manner)
        } else {
            sound = try await loop.read(said, given["words"] == nil ? nil : phonemizer, manner ?? loop.manner)
        }
        return [
            ("samples", Values(sound.samples, [sound.samples.count])), ("text", text(sound.text)),
            ("sentences", text(sound.sentences.joined(separator: "\t"))),
            ("unknown", text(sound.unknown.joined(separator: " "))),
        ]
    }

    private func speech(_ given: [String: any Tensor]) async throws -> [(String, any Tensor)] {
        let loop = try SpeechActivity(parts, description), samples = try given["audio"]!.floats()
        let rules = try given["rules"].map { tensor -> SpeechRules in
            let r = try tensor.floats().map(Double.init)
            return try SpeechRules(
                threshold: r[0], release: r[1].isNaN ? nil : r[1], shortest: r[2], pause: r[3], padding: r[4], longest: r[5],
                cut: r[6])
        }
        let heard = try await loop.detect(samples, rules ?? loop.rules)
        var streamed: [Double] = []
        if let piece = try given["piece"].map({ Int(try $0.longs()[0]) }) {
            for at in stride(from: 0, to: samples.count, by: piece) {
                streamed += try await loop.push(Array(samples[at..<min(at + piece, samples.count)]))
            }
        }
        return [
            ("spans", floats(heard.spans.flatMap { [$0.start, $0.end] })), ("text", text(heard.text)),
            ("probabilities", floats(heard.probabilities)), ("streamed", floats(streamed)),
        ]
    }
}
