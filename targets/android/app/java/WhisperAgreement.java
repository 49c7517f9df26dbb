package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The sound of a stream that is still looked at, and its words: which are final, and which may change. A word is final once
 * two readings in a row agree about it (LocalAgreement-2: Machacek, Dabre and Bojar 2023, arXiv:2307.14743), or once it lies
 * so far back that more sound does not help it. Constants and rules are those of models/whisper/loop/stream.py, which has
 * the evidence for them (docs/speech.md).
 */
final class WhisperAgreement {
    private static final int RATE = WhisperRecognizer.RATE;
    /**
     * Seconds before the end of the buffer: a word that ends later may still be cut off; a word that ends earlier than the
     * second is final whatever the last reading said.
     */
    private static final double FRAYED = 0.7;

    private static final double SETTLED = 1.4;
    /** A word that is less probable is not final because two readings agree. */
    private static final double UNSURE = 0.85;
    /** Seconds: a buffer that is longer is cut; what is left of it at most, and in silence; the most that it ever has. */
    private static final double LONG = 10.0;

    private static final double LEFT = 8.0;
    private static final double KEPT = 2.0;
    private static final double MOST = 28.0;
    /** Seconds that are kept of a silence, for a word may have begun. */
    private static final double MOMENT = 0.4;

    /** The words that are final, with their spaces; times from the begin of the stream. */
    final List<Transcript.Word> settled = new ArrayList<>();
    /** Those that may change. */
    List<Transcript.Word> pending = new ArrayList<>();

    private float[] buffer = new float[RATE];
    private int size;
    /** Of the buffer, in samples of the stream. */
    private long begin;
    /** The first final word that lies in the buffer. */
    private int held;

    /** More sound at 16 kHz: samples [from, to) of a chunk. */
    void append(float[] chunk, int from, int to) {
        if (buffer.length < size + to - from) {
            buffer = Arrays.copyOf(buffer, 2 * size + to - from);
        }
        System.arraycopy(chunk, from, buffer, size, to - from);
        size += to - from;
    }

    float[] samples() {
        return Arrays.copyOf(buffer, size);
    }

    /** Seconds of the buffer. */
    double length() {
        return size / (double) RATE;
    }

    /** Where the buffer begins and ends, in seconds of the stream. */
    double begin() {
        return begin / (double) RATE;
    }

    double end() {
        return (begin + size) / (double) RATE;
    }

    /** Whether the buffer has what a window of the network may have: then it must be read, however slow the device is. */
    boolean full() {
        return length() >= MOST;
    }

    /** The final words that lie in the buffer. */
    List<Transcript.Word> held() {
        return new ArrayList<>(settled.subList(held, settled.size()));
    }

    /**
     * Makes final what two readings agree about, what is old enough, or everything; shortens the buffer.
     *
     * @param words what a reading heard behind the final words; `pending` itself if it heard nothing of worth.
     * @param all no more can come for them.
     * @return those that became final.
     */
    List<Transcript.Word> accept(List<Transcript.Word> words, boolean all) {
        // No reading agrees with itself.
        List<Transcript.Word> earlier = words == pending ? new ArrayList<Transcript.Word>() : pending;
        int count = 0;
        while (count < words.size() && (all || isFinal(words.get(count), earlier, count))) {
            count++;
        }
        pending = new ArrayList<>(words.subList(count, words.size()));
        double floor = settled.isEmpty() ? 0 : settled.get(settled.size() - 1).end;
        List<Transcript.Word> accepted = new ArrayList<>();
        for (Transcript.Word word : words.subList(0, count)) {
            double start = Math.max(word.start, floor);
            floor = Math.max(word.end, start);
            accepted.add(word.at(start, floor));
        }
        settled.addAll(accepted);
        shorten();
        return accepted;
    }

    private boolean isFinal(Transcript.Word word, List<Transcript.Word> earlier, int at) {
        boolean agreed = at < earlier.size() && letters(earlier.get(at).word).equals(letters(word.word))
                && word.probability > UNSURE;
        return agreed && word.end < end() - FRAYED || word.end < end() - SETTLED;
    }

    /** What is compared of a word: its letters and digits, in lower case. */
    private static String letters(String word) {
        StringBuilder letters = new StringBuilder();
        String lower = word.toLowerCase(Locale.ROOT);
        for (int at = 0, letter; at < lower.length(); at += Character.charCount(letter)) {
            letter = lower.codePointAt(at);
            int kind = Character.getType(letter);
            if (Character.isLetterOrDigit(letter) || kind == Character.LETTER_NUMBER || kind == Character.OTHER_NUMBER) {
                letters.appendCodePoint(letter);
            }
        }
        return letters.toString();
    }

    /**
     * Cuts a buffer that grew long: in the longest pause before a final word, which stays, so that a border that is a
     * little wrong costs nothing; where nobody spoke for long, near its end.
     */
    private void shorten() {
        double length = length();
        if (length <= LONG) {
            return;
        }
        List<Transcript.Word> words = held();
        int count = words.size();
        double begin = begin(), border = begin + length - LEFT;
        boolean silent = pending.isEmpty() && (count == 0 || words.get(count - 1).end < border);
        // Of pauses that leave enough the longest, of equal ones the last; if there is none, the last of all.
        int best = count - 2;
        double longest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i + 1 < count; i++) {
            double pause = words.get(i + 1).start - words.get(i).end;
            if (words.get(i).end > border && pause >= longest) {
                best = i;
                longest = pause;
            }
        }
        if (best >= 0 && !silent) {
            cut((words.get(best).end + words.get(best + 1).start) / 2 - begin);
            held += best + 1;
        }
        if (silent || length() > MOST) {
            // Not before a final word: it would be heard once more.
            double spoken = count == 0 ? 0 : words.get(count - 1).end;
            cut(Math.max(begin + length - KEPT, spoken) - begin());
            held = settled.size();
        }
    }

    /** Drops what nobody speaks in, but for the last moment. */
    void forget() {
        cut(length() - MOMENT);
        held = settled.size();
    }

    /** Forgets the first seconds of the buffer. */
    private void cut(double seconds) {
        int drop = (int) Math.min(Math.max(Math.rint(seconds * RATE), 0), size);
        System.arraycopy(buffer, drop, buffer, 0, size - drop);
        begin += drop;
        size -= drop;
    }
}
