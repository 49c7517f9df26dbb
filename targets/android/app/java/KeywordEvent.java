package edgekit.phone.loops;

/** A word that was heard. */
public final class KeywordEvent {
    public final String word;
    /** Seconds since the start of the sound. */
    public final double time;
    /** 0..1. */
    public final double score;

    KeywordEvent(String word, double time, double score) {
        this.word = word;
        this.time = time;
        this.score = score;
    }
}
