package edgekit.phone.loops;

import java.util.Arrays;

/**
 * Prompt look-up decoding: what follows now has often followed before (Saxena 2023). The rule is that of edgekit's Python
 * and of the Swift package.
 */
final class LookUp {
    /** Most guesses at a time, and the endings that are looked up, in tokens. */
    private static final int MOST = 8;

    private static final int LONGEST = 4;
    private static final int SHORTEST = 2;
    /** Prompt and answer so far, and how many tokens these are. */
    private int[] tokens;

    private int count;

    LookUp(int[] prompt) {
        tokens = prompt.clone();
        count = prompt.length;
    }

    void add(int token) {
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * count);
        }
        tokens[count++] = token;
    }

    /**
     * The next token, which is not added yet, and at most `most` that followed the last earlier place with the same
     * ending, the longest ending first.
     */
    int[] guessed(int token, int most) {
        add(token);
        int from = count;
        for (int length = LONGEST; length >= SHORTEST && from == count; length--) {
            from = followed(length);
        }
        int guesses = Math.max(0, Math.min(Math.min(most, MOST), count - from));
        int[] row = new int[1 + guesses];
        row[0] = token;
        System.arraycopy(tokens, from, row, 1, guesses);
        count--;
        return row;
    }

    /** Where what followed the last earlier place with the same last `length` tokens begins; the end if there is none. */
    private int followed(int length) {
        for (int at = count - length - 1; at >= 0; at--) {
            if (same(at, count - length, length)) {
                return at + length;
            }
        }
        return count;
    }

    private boolean same(int at, int other, int length) {
        for (int i = 0; i < length; i++) {
            if (tokens[at + i] != tokens[other + i]) {
                return false;
            }
        }
        return true;
    }
}
