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
}
