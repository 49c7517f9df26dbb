package edgekit.phone.loops;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** Tokens per second of an app's Java layer: a line "prompt N" or "generate N" in, a number out. */
public final class ChatSpeed {
    private static final Random DRAWN = new Random(0);

    private ChatSpeed() {}

    /** Arguments: the weights, threads, tokens of the vocabulary. */
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int words = Integer.parseInt(arguments[2]);
        try (Language language = new NativeLanguage(arguments[0], 1024, false, Integer.parseInt(arguments[1]))) {
            language.sampling(0, 0, 1, 0, 0);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] asked = line.split(" ");
                int count = Integer.parseInt(asked[1]);
                System.out.println(asked[0].equals("prompt") ? read(language, words, count) : write(language, words, count));
            }
        }
    }

    /** Reads as many tokens drawn at random, which the cache does not hold yet. */
    private static double read(Language language, int words, int count) {
        int[] tokens = DRAWN.ints(count, 256, words).toArray();
        long start = System.nanoTime();
        if (language.read(tokens) != 0) {
            throw new IllegalStateException("the prompt was not read");
        }
        return count / ((System.nanoTime() - start) * 1e-9);
    }

    /** Writes as many tokens, beginning anew where the model ends its text; reading the first token is not counted. */
    private static double write(Language language, int words, int count) {
        double seconds = 0;
        for (int done = 0; done < count; ) {
            language.read(DRAWN.ints(1, 256, words).toArray());
            long start = System.nanoTime();
            while (done < count && language.next() >= 0) {
                done++;
            }
            seconds += (System.nanoTime() - start) * 1e-9;
        }
        return count / seconds;
    }
}
