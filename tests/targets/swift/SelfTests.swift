@testable import EdgekitModel

/// The golden input by the class that an app sees.
enum SelfTests {
    static let all: [String: @Sendable (ModelFiles, [String: any Graph]) async throws -> SelfTestReport] = [
        "Classifier": { try await Classifier($0, parts: $1).selfTest() },
        "CtcTranscriber": { try await CtcTranscriber($0, parts: $1).selfTest() },
        "Forecaster": { try await Forecaster($0, parts: $1).selfTest() },
        "KeypointDetector": { try await KeypointDetector($0, parts: $1).selfTest() },
        "MusicTranscriber": { try await MusicTranscriber($0, parts: $1).selfTest() },
        "ObjectDetector": { try await ObjectDetector($0, parts: $1).selfTest() },
        "PictureSegmenter": { try await PictureSegmenter($0, parts: $1).selfTest() },
        "Policy": { try await Policy($0, parts: $1).selfTest() },
        "SentenceEncoder": { try await SentenceEncoder($0, parts: $1).selfTest() },
        "SoundClassifier": { try await SoundClassifier($0, parts: $1).selfTest() },
        "SpeakerVerifier": { try await SpeakerVerifier($0, parts: $1).selfTest() },
        "SpeechDetector": { try await SpeechDetector($0, parts: $1).selfTest() },
        "SpeechSynthesizer": { try await SpeechSynthesizer($0, parts: $1).selfTest() },
        "TensorModel": { try await TensorModel($0, parts: $1).selfTest() },
        "TextReader": { try await TextReader($0, parts: $1).selfTest() },
        "Transcriber": { try await Transcriber($0, parts: $1).selfTest() },
        "WakeWordDetector": { try await WakeWordDetector($0, parts: $1).selfTest() },
    ]
}
