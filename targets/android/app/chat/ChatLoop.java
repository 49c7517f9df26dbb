package edgekit.phone.loops;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A conversation: its history, as much of it as the context holds. Questions and answers of earlier turns are in the prompt
 * of the next, and in the model's cache. One call at a time.
 */
public final class ChatLoop {
    /** Tokens of the context that are kept for an answer. */
    private static final int ANSWER = 256;
    /** Of the golden answer, by how many logits another token may be likelier here: kernels round otherwise. */
    private static final float TIE = 1.0f;

    /** Takes an answer piece by piece; pieces are whole characters. */
    public interface Pieces {
        void piece(String text);
    }

    /** What is asked. */
    public static final class Question {
        public final String text;
        /** Tokens of the answer at most. */
        public final int most;
        /** Name of a schema that the answer keeps to; "" for any text. It is whole where the answer came to its end. */
        public final String schema;
        /**
         * Whether tokens that followed before are tried, several in a pass (see `LookUp`): where an answer repeats its
         * prompt, it takes fewer passes. It does nothing in a schema or by chance, nor where a model cannot forget.
         */
        public final boolean lookUp;

        public Question(String text, int most, String schema, boolean lookUp) {
            this.text = text;
            this.most = most;
            this.schema = schema;
            this.lookUp = lookUp;
        }
    }

    /** An answer. */
    public static final class Answer {
        public final String text;
        /** "end", "length", "context" or "cancelled". */
        public final String finish;
        public final int promptTokens;
        public final int tokens;
        /** Oldest turns that were left out of the prompt, for the context is full. */
        public final int leftOut;
        /** Tokens of prompt and answer that were computed: others were in the cache, or in a file. */
        public final int computed;
        /** Passes over the model that this took. */
        public final int passes;

        private Answer(String finish, Decoding decoding, Prompt prompt, long[] work) {
            text = decoding.text();
            this.finish = finish;
            promptTokens = prompt.tokens.length;
            tokens = decoding.tokens;
            leftOut = prompt.leftOut;
            computed = (int) work[0];
            passes = (int) work[1];
        }
    }

    /** What is asked with the turns before it, as many as fit. */
    private static final class Prompt {
        final List<String> turns;
        final int[] tokens;
        final int leftOut;

        Prompt(List<String> turns, int[] tokens, int leftOut) {
            this.turns = turns;
            this.tokens = tokens;
            this.leftOut = leftOut;
        }
    }

    /** What the golden prompt gave. */
    public static final class Report {
        /** Bytes of the golden answer that came out, and how many it has. */
        public final int same;

        public final int bytes;
        /** At the first difference, by how many logits another token was likelier; 0 where there is none. */
        public final float margin;

        Report(int same, int bytes, float margin) {
            this.same = same;
            this.bytes = bytes;
            this.margin = margin;
        }

        /** Whether all of it came out, or all to the first tie. */
        public boolean passed() {
            return same == bytes || margin <= TIE;
        }

        @Override
        public String toString() {
            return same + " of " + bytes + " bytes of the golden answer, then a token that is " + margin + " logits off";
        }
    }

    private final Language language;
    private final ChatDescription description;
    private final String system;
    /** Tokens that every prompt with this system prompt begins with; none without one. */
    private final int[] beginning;

    private final List<String> turns = new ArrayList<>();

    /**
     * @param system a message before all others, which is never left out; "" for none.
     * @throws IllegalArgumentException it leaves no room in the context.
     */
    public ChatLoop(Language language, ChatDescription description, String system) {
        this.language = language;
        this.description = description;
        this.system = system;
        int[] asked = tokens(Collections.singletonList("."));
        if (asked.length + ANSWER > description.context) {
            throw new IllegalArgumentException(
                    "the system prompt takes " + asked.length + " tokens of the " + description.context + " of the context");
        }
        int[] other = tokens(Collections.singletonList("a"));
        beginning = system.isEmpty() ? new int[0] : Arrays.copyOf(asked, common(asked, other));
    }

    /** Throws IllegalStateException where a model needs more memory than is free, in bytes. */
    public static void checkMemory(ChatDescription description, long free) {
        if (description.memory > free) {
            throw new IllegalStateException(description.model + " needs " + (description.memory >> 20)
                    + " MB of memory, and " + (free >> 20) + " MB are free");
        }
    }

    /**
     * Answers a question. What was answered before a cancellation stays in the history.
     *
     * @param watch told between passes; it cancels by throwing, and what is computed then is ended by `Language.stop`.
     * @throws IllegalArgumentException the text is empty, or alone too long for the context; no such schema.
     * @throws IllegalStateException the library failed.
     */
    public Answer ask(Question question, Watch watch, Pieces pieces) {
        if (question.text.trim().isEmpty()) {
            throw new IllegalArgumentException("the question is empty");
        }
        if (language.grammar(bytes(description.grammar(question.schema))) != 0) {
            throw new IllegalStateException("the library cannot read the grammar of the schema " + question.schema);
        }
        language.stop(false);
        Prompt prompt = fitting(question.text);
        long[] before = {language.computed(), language.passes()};
        Decoding decoding = new Decoding(pieces);
        String finish = "cancelled";
        try {
            finish = write(question, prompt.tokens, watch, decoding);
        } finally {
            decoding.finish();
            turns.clear();
            turns.addAll(prompt.turns);
            turns.add(decoding.text());
        }
        long[] work = {language.computed() - before[0], language.passes() - before[1]};
        return new Answer(finish, decoding, prompt, work);
    }

    /** Begins anew. */
    public void clear() {
        turns.clear();
    }

    /** Goes on with the golden prompt, and compares with what the bundle was proven to say. */
    public Report selfTest(Watch watch) {
        language.stop(false);
        language.grammar(new byte[0]);
        byte[] expected = bytes(description.answer);
        if (language.read(language.tokens(bytes(description.prompt), false, true)) != 0) {
            throw new IllegalStateException("the library failed on the golden prompt");
        }
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        while (said.size() < expected.length) {
            watch.at(said.size(), expected.length);
            byte[] rest = Arrays.copyOfRange(expected, said.size(), expected.length);
            float margin = language.margin(rest);
            if (margin > 0) {
                return new Report(said.size(), expected.length, margin);
            }
            int token = language.next();
            if (token < 0) {
                return new Report(said.size(), expected.length, Float.POSITIVE_INFINITY);
            }
            byte[] piece = language.piece(token);
            said.write(piece, 0, piece.length);
        }
        return new Report(expected.length, expected.length, 0);
    }

    /** The oldest turns are left out where the context is too short for them and an answer. */
    private Prompt fitting(String text) {
        List<String> asked = new ArrayList<>(turns);
        asked.add(text);
        int leftOut = 0;
        int[] tokens = tokens(asked);
        while (asked.size() > 1 && tokens.length + ANSWER > description.context) {
            asked = new ArrayList<>(asked.subList(2, asked.size()));
            leftOut++;
            tokens = tokens(asked);
        }
        if (tokens.length >= description.context) {
            throw new IllegalArgumentException(
                    "the question has " + tokens.length + " tokens, and the context holds " + description.context);
        }
        return new Prompt(asked, tokens, leftOut);
    }

    private String write(Question question, int[] tokens, Watch watch, Decoding decoding) {
        int room = description.context - tokens.length;
        int most = Math.min(question.most, room);
        watch.at(0, most);
        int status = language.begin(beginning);
        status = status < 0 ? status : language.read(tokens);
        LookUp said = question.lookUp && language.guesses() ? new LookUp(tokens) : null;
        while (status >= 0 && decoding.tokens < most) {
            watch.at(decoding.tokens, most);
            status = said == null ? step(decoding) : several(said, most - decoding.tokens, decoding);
        }
        if (status == Language.FAILED) {
            throw new IllegalStateException("the library failed after " + decoding.tokens + " tokens");
        }
        if (status == Language.STOPPED) {
            watch.at(decoding.tokens, most);
            return "cancelled";
        }
        String full = question.most > room ? "context" : "length";
        return status == Language.END ? "end" : status == Language.FULL ? "context" : full;
    }

    private int step(Decoding decoding) {
        int token = language.next();
        if (token >= 0) {
            decoding.take(language.piece(token));
        }
        return token;
    }

    /** The next token and guesses at those after it; at most `left` in all are taken. */
    private int several(LookUp said, int left, Decoding decoding) {
        int token = language.choose();
        if (token < 0) {
            return token;
        }
        int[] row = said.guessed(token, left - 2); // with the token that the same pass gives after them
        int kept = language.attempt(row);
        for (int i = 0; i < kept; i++) {
            said.add(row[i]);
            decoding.take(language.piece(row[i]));
        }
        return kept;
    }

    private int[] tokens(List<String> asked) {
        return language.tokens(bytes(description.prompt(system, asked)), true, !description.begins());
    }

    private static int common(int[] first, int[] second) {
        int count = 0;
        while (count < Math.min(first.length, second.length) && first[count] == second[count]) {
            count++;
        }
        return count;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
