/// How to transcribe.
struct WhisperOptions {
    /// A key of the tokens' languages, or nil: it is detected.
    var language: String?
    /// To English instead of transcribing.
    var translate = false
    /// Give segments with times; always so beyond 30 s, where they carry the windows forward.
    var timestamps = false
    /// Give the times of words. Costs one more run of the decoder for each window.
    var words = false
    /// Look for speech first, and transcribe nothing else; nil: only in a sound that is longer than 30 s.
    var vad: Bool?
    /// Tried in order while a result looks wrong.
    var temperatures = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    /// Seconds that the encoder gets at least, and no second encoding at 30 s; nil: chosen by the length of the sound.
    var window: Double?
}
