package edgekit.phone.loops;

import java.util.Arrays;
import java.util.List;

/** What must not be sampled next (after whisper/decoding.py). */
final class WhisperRules {
    private static final float NEVER = Float.NEGATIVE_INFINITY;
    private final WhisperTokens tokens;
    private final boolean timestamps;
    private final boolean continued;
    private final int afterLast;
    private final int latestStart;

    /**
     * @param seconds length of the window: no timestamp lies behind it.
     * @param continued the text has begun already, so that it may end at once.
     */
    WhisperRules(WhisperTokens tokens, boolean timestamps, double seconds, boolean continued) {
        this.tokens = tokens;
        this.timestamps = timestamps;
        this.continued = continued;
        afterLast = tokens.firstTimestamp + (int) Math.rint(seconds / tokens.secondsPerTimestamp) + 1;
        // The original allows the first timestamp to lie at most one second into the window.
        latestStart = tokens.firstTimestamp + (int) Math.rint(1.0 / tokens.secondsPerTimestamp);
    }

    /** Logits of one hypothesis, with forbidden tokens at minus infinity, from what it sampled so far. */
    float[] apply(float[] logits, List<Integer> sampled) {
        float[] row = logits.clone();
        forbid(row, tokens.suppress);
        if (timestamps) {
            row[tokens.noTimestamps] = NEVER;
        }
        forbid(row, Math.min(afterLast, row.length), row.length);
        if (sampled.isEmpty() && !continued) {
            forbid(row, tokens.suppressAtBegin);
        }
        if (timestamps) {
            time(row, sampled);
        }
        return row;
    }

    /** Timestamps come in pairs, never go back, and open the transcript. */
    private void time(float[] row, List<Integer> sampled) {
        int first = tokens.firstTimestamp, count = sampled.size();
        if (count == 0) {
            forbid(row, 0, first);
            forbid(row, Math.min(latestStart + 1, row.length), row.length);
            return;
        }
        boolean last = sampled.get(count - 1) >= first;
        boolean before = count < 2 || sampled.get(count - 2) >= first;
        if (last && before) {
            forbid(row, first, row.length);
        } else if (last) {
            forbid(row, 0, tokens.endOfText);
        }
        int latest = -1;
        for (int token : sampled) {
            latest = token >= first ? token : latest;
        }
        if (latest >= 0) {
            // A segment has a length, so its end lies after its start; a start may equal the end before it.
            forbid(row, first, Math.min(latest + (last && !before ? 0 : 1), row.length));
        }
        if (stampsAreLikelier(row, first)) {
            forbid(row, 0, first);
        }
    }

    /** Whether all timestamps together are more probable than the most probable word. */
    private static boolean stampsAreLikelier(float[] row, int first) {
        float word = NEVER, stamp = NEVER;
        for (int i = 0; i < row.length; i++) {
            if (i < first) {
                word = Math.max(word, row[i]);
            } else {
                stamp = Math.max(stamp, row[i]);
            }
        }
        float top = Math.max(word, stamp);
        double sum = 0;
        for (int i = first; i < row.length; i++) {
            sum += Math.exp(row[i] - top);
        }
        return top + Math.log(sum + 1e-30) > word;
    }

    private static void forbid(float[] row, int from, int to) {
        if (from < to) {
            Arrays.fill(row, from, to, NEVER);
        }
    }

    private static void forbid(float[] row, int[] which) {
        for (int token : which) {
            row[token] = NEVER;
        }
    }
}
