package edgekit.phone.loops;

/** An app's own way from words to phonemes: no voice brings one along. */
public interface Phonemizer {
    /**
     * The phonemes of a clause, in the International Phonetic Alphabet as espeak-ng writes it, without marks.
     *
     * @param clause words with the mark that ends them; marks are kept by the caller.
     */
    String phonemes(String clause);
}
