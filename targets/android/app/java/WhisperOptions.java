package edgekit.phone.loops;

/** How to transcribe. Each method gives a copy in which one option is another. */
public final class WhisperOptions {
    /** The language is detected; text only. */
    public static final WhisperOptions DEFAULT = new WhisperOptions();

    String language;
    boolean translate;
    boolean timestamps;
    boolean words;
    Boolean vad;

    private WhisperOptions() {}

    private WhisperOptions(WhisperOptions other) {
        language = other.language;
        translate = other.translate;
        timestamps = other.timestamps;
        words = other.words;
        vad = other.vad;
    }

    /** A code of WhisperTranscriber.languages(), or null: it is detected. */
    public WhisperOptions language(String code) {
        WhisperOptions copy = new WhisperOptions(this);
        copy.language = code;
        return copy;
    }

    /** To English instead of transcribing. */
    public WhisperOptions translate(boolean on) {
        WhisperOptions copy = new WhisperOptions(this);
        copy.translate = on;
        return copy;
    }

    /** Give segments with times; always so beyond 30 s, where they carry the windows forward. */
    public WhisperOptions timestamps(boolean on) {
        WhisperOptions copy = new WhisperOptions(this);
        copy.timestamps = on;
        return copy;
    }

    /** Give the times of words. Costs one more run of the decoder for each window. */
    public WhisperOptions words(boolean on) {
        WhisperOptions copy = new WhisperOptions(this);
        copy.words = on;
        return copy;
    }

    /** Look for speech first, and transcribe nothing else; null: only in a sound that is longer than 30 s. */
    public WhisperOptions vad(Boolean on) {
        WhisperOptions copy = new WhisperOptions(this);
        copy.vad = on;
        return copy;
    }
}
