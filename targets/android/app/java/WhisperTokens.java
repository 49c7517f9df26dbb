package edgekit.phone.loops;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Whisper's vocabulary: the numbers of special tokens, and text from tokens. */
public final class WhisperTokens {
    public final int endOfText;
    public final int startOfTranscript;
    public final int noSpeech;
    public final int noTimestamps;
    public final int firstTimestamp;
    public final double secondsPerTimestamp;
    public final Map<String, Integer> languages = new LinkedHashMap<>();
    final int[] suppress;
    final int[] suppressAtBegin;
    private final Map<String, Object> facts;
    private final byte[][] pieces;

    /**
     * @param facts "tokens" of the bundle's facts.
     * @param vocabulary of the description: for each token an unsigned 16-bit length and its bytes, little-endian.
     */
    public WhisperTokens(Map<String, Object> facts, byte[] vocabulary) {
        this.facts = facts;
        endOfText = named("end_of_text");
        startOfTranscript = named("start_of_transcript");
        noSpeech = named("no_speech");
        noTimestamps = named("no_timestamps");
        firstTimestamp = named("first_timestamp");
        secondsPerTimestamp = Json.number(facts.get("seconds_per_timestamp"));
        suppress = Json.integers(facts.get("suppress"));
        suppressAtBegin = Json.integers(facts.get("suppress_at_begin"));
        for (Map.Entry<String, Object> language : Json.object(facts.get("languages")).entrySet()) {
            languages.put(language.getKey(), Json.integer(language.getValue()));
        }
        pieces = pieces(vocabulary, endOfText);
    }

    /** A token by its name in the facts, such as "transcribe". */
    int named(String name) {
        return Json.integer(facts.get(name));
    }

    /** The text of tokens; special ones and timestamps are left out. Half characters become U+FFFD. */
    public String text(List<Integer> tokens) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int token : tokens) {
            if (token < endOfText) {
                bytes.write(pieces[token], 0, pieces[token].length);
            }
        }
        return new String(bytes.toByteArray(), StandardCharsets.UTF_8);
    }

    /** Without white space at both ends: all of Unicode's, which trim() does not know and strip() needs Android 13 for. */
    static String stripped(String text) {
        int start = 0, end = text.length();
        while (start < end && isSpace(text.charAt(start))) {
            start++;
        }
        while (end > start && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(start, end);
    }

    private static boolean isSpace(char letter) {
        return Character.isWhitespace(letter) || Character.isSpaceChar(letter) || letter == '\u0085';
    }

    private static byte[][] pieces(byte[] vocabulary, int count) {
        ByteBuffer from = ByteBuffer.wrap(vocabulary).order(ByteOrder.LITTLE_ENDIAN);
        byte[][] tokens = new byte[count][];
        for (int i = 0; i < count; i++) {
            tokens[i] = new byte[from.getShort() & 0xffff];
            from.get(tokens[i]);
        }
        return tokens;
    }
}
