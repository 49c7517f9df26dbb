package edgekit.phone.loops;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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

    /** An answer. */
    public static final class Answer {
        public final String text;
        /** "end", "length", "context" or "cancelled". */
        public final String finish;
        public final int promptTokens;
        public final int tokens;
        /** Oldest turns that were left out of the prompt, for the context is full. */
        public final int leftOut;

        Answer(String text, String finish, int promptTokens, int tokens, int leftOut) {
            this.text = text;
            this.finish = finish;
            this.promptTokens = promptTokens;
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
    private final List<String> turns = new ArrayList<>();

    /**
     * @param system a message before all others, which is never left out; "" for none.
     * @throws IllegalArgumentException it leaves no room in the context.
     */
    public ChatLoop(Language language, ChatDescription description, String system) {
        this.language = language;
        this.description = description;
        this.system = system;
        List<String> one = new ArrayList<>();
        one.add(".");
        int taken = prompt(one).length;
        if (taken + ANSWER > description.context) {
            throw new IllegalArgumentException(
                    "the system prompt takes " + taken + " tokens of the " + description.context + " of the context");
        }
    }

    /** Throws IllegalStateException where a model needs more memory than is free, in bytes. */
    public static void checkMemory(ChatDescription description, long free) {
        if (description.memory > free) {
            throw new IllegalStateException(description.model + " needs " + (description.memory >> 20)
                    + " MB of memory, and " + (free >> 20) + " MB are free");
        }
    }

    /**
     * Answers `text`. What was answered before a cancellation stays in the history.
     *
     * @param most tokens of the answer.
     * @param schema name of one that the answer keeps to; "" for any text. It is whole where the answer came to its end.
     * @param watch told between tokens; it cancels by throwing, and what is computed then is ended by `Language.stop`.
     * @throws IllegalArgumentException the text is empty, or alone too long for the context; no such schema.
     * @throws IllegalStateException the library failed.
     */
    public Answer ask(String text, int most, String schema, Watch watch, Pieces pieces) {
        if (text.trim().isEmpty()) {
            throw new IllegalArgumentException("the question is empty");
        }
        if (language.grammar(bytes(description.grammar(schema))) != 0) {
            throw new IllegalStateException("the library cannot read the grammar of the schema " + schema);
        }
        language.stop(false);
        List<String> asked = new ArrayList<>(turns);
        asked.add(text);
        int leftOut = 0;
        int[] tokens = prompt(asked);
        while (asked.size() > 1 && tokens.length + ANSWER > description.context) {
            asked = new ArrayList<>(asked.subList(2, asked.size()));
            leftOut++;
            tokens = prompt(asked);
        }
        int room = description.context - tokens.length;
        if (room <= 0) {
            throw new IllegalArgumentException(
                    "the question has " + tokens.length + " tokens, and the context holds " + description.context);
        }
        Decoding decoding = new Decoding(pieces);
        String finish = "cancelled";
        try {
            finish = write(tokens, Math.min(most, room), most > room ? "context" : "length", watch, decoding);
        } finally {
            decoding.finish();
            turns.clear();
            turns.addAll(asked);
            turns.add(decoding.text());
        }
        return new Answer(decoding.text(), finish, tokens.length, decoding.tokens, leftOut);
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
            byte[] rest = java.util.Arrays.copyOfRange(expected, said.size(), expected.length);
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

    private String write(int[] tokens, int most, String full, Watch watch, Decoding decoding) {
        watch.at(0, most);
        int status = language.read(tokens);
        while (status >= 0 && decoding.tokens < most) {
            watch.at(decoding.tokens, most);
            status = language.next();
            if (status >= 0) {
                decoding.take(language.piece(status));
            }
        }
        if (status == Language.FAILED) {
            throw new IllegalStateException("the library failed after " + decoding.tokens + " tokens");
        }
        if (status == Language.STOPPED) {
            watch.at(decoding.tokens, most);
            return "cancelled";
        }
        return status == Language.END ? "end" : status == Language.FULL ? "context" : full;
    }

    private int[] prompt(List<String> asked) {
        return language.tokens(bytes(description.prompt(system, asked)), true, !description.begins());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Tokens to text: a character may be split between two of them. */
    private static final class Decoding {
        private final Pieces pieces;
        private final CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
        private final StringBuilder text = new StringBuilder();
        private ByteBuffer left = ByteBuffer.allocate(0);
        private boolean finished;
        int tokens;

        Decoding(Pieces pieces) {
            this.pieces = pieces;
        }

        void take(byte[] piece) {
            tokens++;
            decode(piece, false);
        }

        void finish() {
            if (!finished) {
                finished = true;
                decode(new byte[0], true);
            }
        }

        String text() {
            return text.toString();
        }

        private void decode(byte[] piece, boolean last) {
            ByteBuffer in = ByteBuffer.allocate(left.remaining() + piece.length);
            in.put(left).put(piece);
            in.flip();
            CharBuffer out = CharBuffer.allocate(in.remaining() + 4);
            decoder.decode(in, out, last);
            left = in;
            out.flip();
            if (out.length() > 0) {
                text.append(out);
                if (!last) {
                    pieces.piece(out.toString());
                }
            }
        }
    }
}
