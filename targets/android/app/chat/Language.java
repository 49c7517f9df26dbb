package edgekit.phone.loops;

/** A language model: text to tokens, a prompt into the cache, the next token. One thread at a time, but for stop. */
public interface Language extends AutoCloseable {
    /** No token: the model ended its answer, it was stopped, it failed, or the context is full. */
    int END = -1;

    int STOPPED = -2;
    int FAILED = -3;
    int FULL = -4;

    /**
     * @param special read control tokens in the text as such.
     * @param begin with the token that begins a text, if the model wants one.
     */
    int[] tokens(byte[] text, boolean special, boolean begin);

    /** The bytes of a token, which may be a part of a character. */
    byte[] piece(int token);

    /** How tokens are chosen from now on; a temperature of 0 takes the likeliest. */
    void sampling(float temperature, int topK, float topP, float minP, int seed);

    /** Has answers keep to a grammar in llama.cpp's form from the next token on; empty: any text. 0, or why not. */
    int grammar(byte[] grammar);

    /** Has the cache hold the beginning that prompts share, out of a file or computed; 0, or why not. Then comes `read`. */
    int begin(int[] tokens);

    /** Has the cache hold these tokens and no others; 0, or why not. */
    int read(int[] tokens);

    /** The next token, which is then in the cache; or why there is none. */
    int next();

    /** The next token, which is not in the cache yet; or why there is none. */
    int choose();

    /** Whether `attempt` may guess now: tokens are the likeliest, any text goes, and the model can forget a part. */
    boolean guesses();

    /**
     * Adds the token that was chosen and up to 8 guesses at those after it, in one pass; those that the model would not
     * have chosen are taken back. How many of the tokens are kept, or why none.
     */
    int attempt(int[] tokens);

    /** Tokens that were computed so far. */
    long computed();

    /** Passes over the model so far. */
    long passes();

    /** By how many logits the likeliest next token beats the best one with which the text goes on. */
    float margin(byte[] text);

    /** From any thread: whether to end what is computed now. */
    void stop(boolean stop);

    @Override
    void close();
}
