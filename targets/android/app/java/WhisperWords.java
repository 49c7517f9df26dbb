package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The times of words, from the heads of cross-attention that follow the sound: the decoder reads the finished text once
 * more (after whisper/timing.py). What is not the original's comes last: a pause belongs to no word.
 */
final class WhisperWords {
    /** Positions of the encoder a second. */
    private static final int SECOND = 50;
    /** Marks that belong to the word after them, to the word before them, and that begin a word. */
    private static final String PREPENDED = "\"'\u201c\u00bf([{-";

    private static final String APPENDED = "\"'.\u3002,,!!??::\u201d)]}\u3001";
    private static final String MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    /** Languages that put no spaces between words. */
    private static final Set<String> UNSPACED = new HashSet<>(Arrays.asList("zh", "ja", "th", "lo", "my", "yue"));
    /** Seconds: how far from a border of the attention a pause may lie, and what a word keeps at least. */
    private static final double REACH = 0.35;

    private static final double LEAST = 0.02;

    private final WhisperTokens tokens;
    private final WhisperAttention attention;
    private final int[][] heads;

    /** @param cross what the encoder said. */
    WhisperWords(WhisperTokens tokens, Description description, Map<String, Tensor> cross) {
        this.tokens = tokens;
        attention = new WhisperAttention(cross);
        List<Object> pairs = Json.list(description.facts.get("alignment"));
        heads = new int[pairs.size()][];
        for (int i = 0; i < heads.length; i++) {
            heads[i] = Json.integers(pairs.get(i));
        }
    }

    /**
     * The longest stretch of a window at which no token looks: its begin and end, in seconds.
     *
     * @param queries of each token and of the end of the text. seconds: length of the sound.
     */
    double[] gap(List<float[]> queries, double seconds) {
        int[] looks = attention.looks(queries, heads);
        double[] read = new double[looks.length + 2];
        read[looks.length + 1] = seconds;
        for (int i = 0; i < looks.length; i++) {
            read[i] = Math.min(looks[i] / (double) SECOND, seconds);
        }
        Arrays.sort(read);
        double[] gap = new double[2];
        for (int i = 1; i < read.length; i++) {
            if (read[i] - read[i - 1] > gap[1] - gap[0]) {
                gap = new double[] {read[i - 1], read[i]};
            }
        }
        return gap;
    }

    /**
     * The words of a window, with their spaces; times count from its start.
     *
     * @param prompt the tokens before the text. kept: those of the window that count; special ones are left out.
     * @param samples the sound of the window at 16 kHz.
     */
    List<Transcript.Word> aligned(
            WhisperHypotheses hypotheses, int[] prompt, List<Integer> kept, float[] samples, String language) {
        List<Integer> text = new ArrayList<>();
        for (int token : kept) {
            if (token < tokens.endOfText) {
                text.add(token);
            }
        }
        if (text.isEmpty()) {
            return new ArrayList<>();
        }
        int count = text.size(), from = prompt.length - 1;
        int[] all = Arrays.copyOf(prompt, prompt.length + count + 1), select = new int[count];
        for (int i = 0; i < count; i++) {
            all[prompt.length + i] = text.get(i);
            select[i] = from + i;
        }
        all[all.length - 1] = tokens.endOfText;
        WhisperHypotheses.Reading reading = hypotheses.read(all, select);
        long heard = Math.max(samples.length * (long) SECOND / WhisperRecognizer.RATE, 1);
        int positions = (int) Math.min(heard, attention.positions());
        float[][] weights = attention.of(reading.queries, heads, all.length, positions);
        // A token begins where its row begins; the end of the text begins where the last token ends.
        int[] begins = WhisperAttention.path(weights, from, count + 1);
        List<Transcript.Word> words = new ArrayList<>();
        int at = 0;
        for (List<Integer> group : groups(text, language == null || !UNSPACED.contains(language))) {
            int after = at + group.size();
            double sum = 0;
            for (int i = at; i < after; i++) {
                float[] logits = Arrays.copyOf(reading.logits[i], tokens.endOfText);
                sum += Math.exp(WhisperDecoding.logprob(logits, text.get(i)));
            }
            words.add(new Transcript.Word(tokens.text(group), begins[at] / (double) SECOND,
                    begins[after] / (double) SECOND, sum / group.size(), group));
            at = after;
        }
        return trimmed(punctuated(words), new WhisperPauses(samples));
    }

    /** Tokens by word. A word begins with a space, or is a mark; without spaces, each whole character is a word. */
    private List<List<Integer>> groups(List<Integer> text, boolean spaced) {
        List<List<Integer>> words = new ArrayList<>();
        for (List<Integer> group : characters(text)) {
            String letters = tokens.text(group);
            boolean begins = !spaced || letters.startsWith(" ") || MARKS.contains(WhisperTokens.stripped(letters));
            if (begins || words.isEmpty()) {
                words.add(group);
            } else {
                words.get(words.size() - 1).addAll(group);
            }
        }
        return words;
    }

    /** Tokens in the smallest groups that are whole characters. A half character stays with what follows it. */
    private List<List<Integer>> characters(List<Integer> text) {
        List<List<Integer>> groups = new ArrayList<>();
        List<Integer> group = new ArrayList<>();
        for (int token : text) {
            group.add(token);
            if (tokens.text(group).indexOf('\ufffd') < 0) {
                groups.add(group);
                group = new ArrayList<>();
            }
        }
        if (!group.isEmpty()) {
            groups.add(group);
        }
        return groups;
    }

    /** Marks joined to their word, which keeps its own times. */
    private static List<Transcript.Word> punctuated(List<Transcript.Word> words) {
        List<Transcript.Word> joined = new ArrayList<>();
        Transcript.Word pending = new Transcript.Word("", 0, 0, 0, new ArrayList<Integer>());
        for (Transcript.Word word : words) {
            String mark = WhisperTokens.stripped(word.word);
            boolean spaced = word.word.startsWith(" ");
            if (!joined.isEmpty() && !mark.isEmpty() && APPENDED.contains(mark) && !spaced) {
                Transcript.Word last = joined.remove(joined.size() - 1);
                joined.add(spelled(last, last, word));
            } else if (spaced && !mark.isEmpty() && PREPENDED.contains(mark)) {
                pending = spelled(word, pending, word);
            } else {
                joined.add(spelled(word, pending, word));
                pending = spelled(word);
            }
        }
        return joined;
    }

    /** A word with the letters and tokens of others. */
    private static Transcript.Word spelled(Transcript.Word word, Transcript.Word... others) {
        StringBuilder letters = new StringBuilder();
        List<Integer> ids = new ArrayList<>();
        for (Transcript.Word other : others) {
            letters.append(other.word);
            ids.addAll(other.tokens);
        }
        return new Transcript.Word(letters.toString(), word.start, word.end, word.probability, ids);
    }

    /**
     * Words without the pauses between them. Attention gives a pause to a neighbour, and finds the end of a word early or
     * late: the longest pause about a border becomes the border.
     */
    private static List<Transcript.Word> trimmed(List<Transcript.Word> words, WhisperPauses pauses) {
        int count = words.size();
        double[] starts = new double[count], ends = new double[count];
        for (int i = 0; i < count; i++) {
            starts[i] = words.get(i).start;
            ends[i] = words.get(i).end;
        }
        if (count > 0 && !Double.isNaN(pauses.first)) {
            starts[0] = Math.min(Math.max(starts[0], pauses.first), ends[0]);
            ends[count - 1] = Math.max(Math.min(ends[count - 1], pauses.last), starts[count - 1]);
        }
        for (int i = 1; i < count; i++) {
            double early = Math.max(starts[i] - REACH, starts[i - 1] + LEAST);
            double[] pause = pauses.longest(early, Math.min(starts[i] + REACH, ends[i] - LEAST));
            if (pause != null) {
                ends[i - 1] = Math.max(pause[0], starts[i - 1] + LEAST);
                starts[i] = Math.min(pause[1], Math.max(ends[i] - LEAST, pause[0]));
            }
        }
        List<Transcript.Word> trimmed = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            double start = Numbers.round(starts[i], 3), end = Numbers.round(Math.max(starts[i], ends[i]), 3);
            trimmed.add(words.get(i).at(start, end));
        }
        return trimmed;
    }
}
