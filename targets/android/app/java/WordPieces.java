package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Texts to the tokens of WordPiece vocabularies of BERT's kind: words, then their longest pieces. */
final class WordPieces {
    private static final List<String> SPECIAL = Arrays.asList("[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]");
    /** A longer word is unknown, in letters. */
    private static final int LONGEST = 100;
    /** First and last of the ranges whose letters are words by themselves. */
    private static final int[] IDEOGRAPHS = {
        0x4E00, 0x9FFF, 0x3400, 0x4DBF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F, 0x2B920, 0x2CEAF,
        0xF900, 0xFAFF, 0x2F800, 0x2FA1F
    };

    private final Map<String, Integer> numbers = new HashMap<>();
    /** Tokens that a text may name: as it stands, and once it is plain. */
    private final List<String> special;
    private final List<String> late;
    private final List<String> frame;
    private final String unknown;
    private final boolean lower;
    private final boolean accents;
    final int pad;

    /**
     * @param vocabulary for each token in order its length in 16 bits, and its bytes.
     * @param rules "tokenizer" of the bundle's facts; what it does not say is as BERT does it for text in lower case.
     */
    WordPieces(byte[] vocabulary, Map<String, Object> rules) {
        for (int at = 0; at + 1 < vocabulary.length; ) {
            int size = (vocabulary[at] & 255) | (vocabulary[at + 1] & 255) << 8;
            String token = new String(vocabulary, at + 2, size, StandardCharsets.UTF_8);
            numbers.put(token, numbers.size());
            at += 2 + size;
        }
        special = texts(rules, "special", SPECIAL);
        late = texts(rules, "late", Collections.<String>emptyList());
        frame = texts(rules, "frame", Arrays.asList("[CLS]", "[SEP]"));
        unknown = rules.containsKey("unknown") ? (String) rules.get("unknown") : "[UNK]";
        lower = !Boolean.FALSE.equals(rules.get("lower"));
        accents = Boolean.TRUE.equals(rules.get("accents"));
        pad = number((String) rules.get("pad"));
    }

    private static List<String> texts(Map<String, Object> rules, String name, List<String> otherwise) {
        return rules.containsKey(name) ? Arrays.asList(Json.texts(rules.get(name))) : otherwise;
    }

    /** The tokens of a text between a first and a last special token, cut to `most`. */
    List<Integer> tokens(String text, int most) {
        List<Integer> tokens = new ArrayList<>();
        tokens.add(number(frame.get(0)));
        List<String> parts = parted(text, special);
        for (int i = 0; i < parts.size(); i++) {
            if (i % 2 == 1) {
                tokens.add(number(parts.get(i)));
                continue;
            }
            List<String> plain = parted(plain(parts.get(i)), late);
            for (int k = 0; k < plain.size(); k++) {
                if (k % 2 == 1) {
                    tokens.add(number(plain.get(k)));
                } else {
                    words(plain.get(k), tokens);
                }
            }
        }
        List<Integer> kept = new ArrayList<>(tokens.subList(0, Math.min(tokens.size(), most - 1)));
        kept.add(number(frame.get(1)));
        return kept;
    }

    /** Stretches of a text and the marks between them, in turns. Of two marks at a place the longer one counts. */
    private static List<String> parted(String text, List<String> marks) {
        List<String> parts = new ArrayList<>();
        int from = 0;
        for (int at = 0; at < text.length(); at++) {
            String found = "";
            for (String mark : marks) {
                found = mark.length() > found.length() && text.startsWith(mark, at) ? mark : found;
            }
            if (!found.isEmpty()) {
                parts.add(text.substring(from, at));
                parts.add(found);
                from = at + found.length();
                at = from - 1;
            }
        }
        parts.add(text.substring(from));
        return parts;
    }

    private int number(String token) {
        Integer number = numbers.get(token);
        if (number == null) {
            throw new IllegalArgumentException("the vocabulary has no " + token);
        }
        return number;
    }

    /** Cleaned, without accents and in lower case, as the rules say. */
    private String plain(String text) {
        String cleaned = accents ? cleaned(text) : Normalizer.normalize(cleaned(text), Normalizer.Form.NFD);
        StringBuilder plain = new StringBuilder();
        for (int at = 0, letter; at < cleaned.length(); at += Character.charCount(letter)) {
            letter = cleaned.codePointAt(at);
            if (accents || Character.getType(letter) != Character.NON_SPACING_MARK) {
                String one = new String(Character.toChars(letter)); // by itself: a sigma knows no end of a word here
                plain.append(lower ? one.toLowerCase(Locale.ROOT) : one);
            }
        }
        return plain.toString();
    }

    private void words(String plain, List<Integer> tokens) {
        StringBuilder word = new StringBuilder();
        for (int at = 0, letter; at < plain.length(); at += Character.charCount(letter)) {
            letter = plain.codePointAt(at);
            if (letter == ' ') {
                word(word, tokens);
            } else if (isPunctuation(letter)) {
                word(word, tokens);
                word(word.appendCodePoint(letter), tokens);
            } else {
                word.appendCodePoint(letter);
            }
        }
        word(word, tokens);
    }

    /** Without control characters; spaces for all kinds of them, and around ideographs. */
    private static String cleaned(String text) {
        StringBuilder cleaned = new StringBuilder();
        for (int at = 0, letter; at < text.length(); at += Character.charCount(letter)) {
            letter = text.codePointAt(at);
            int kind = Character.getType(letter);
            if (isSpace(letter, kind)) {
                cleaned.append(' ');
            } else if (isIdeograph(letter)) {
                cleaned.append(' ').appendCodePoint(letter).append(' ');
            } else if (letter != 0xFFFD && kind != Character.CONTROL && kind != Character.FORMAT
                    && kind != Character.PRIVATE_USE && kind != Character.SURROGATE) {
                cleaned.appendCodePoint(letter);
            }
        }
        return cleaned.toString();
    }

    private static boolean isSpace(int letter, int kind) {
        boolean separator = kind == Character.SPACE_SEPARATOR || kind == Character.LINE_SEPARATOR
                || kind == Character.PARAGRAPH_SEPARATOR;
        return separator || letter == '\t' || letter == '\n' || letter == '\r';
    }

    private static boolean isIdeograph(int letter) {
        for (int i = 0; i < IDEOGRAPHS.length; i += 2) {
            if (letter >= IDEOGRAPHS[i] && letter <= IDEOGRAPHS[i + 1]) {
                return true;
            }
        }
        return false;
    }

    private static boolean isPunctuation(int letter) {
        boolean ascii = letter > 32 && letter < 127 && !Character.isLetterOrDigit(letter);
        int kind = Character.getType(letter);
        return ascii || kind == Character.CONNECTOR_PUNCTUATION || kind == Character.DASH_PUNCTUATION
                || kind == Character.START_PUNCTUATION || kind == Character.END_PUNCTUATION
                || kind == Character.INITIAL_QUOTE_PUNCTUATION || kind == Character.FINAL_QUOTE_PUNCTUATION
                || kind == Character.OTHER_PUNCTUATION;
    }

    /** Adds the longest pieces of a word, which is emptied; one that cannot be spelt is unknown as a whole. */
    private void word(StringBuilder word, List<Integer> tokens) {
        List<Integer> pieces = new ArrayList<>();
        boolean known = word.codePointCount(0, word.length()) <= LONGEST;
        for (int start = 0; known && start < word.length(); ) {
            int end = word.length();
            Integer number = piece(word, start, end);
            while (number == null && --end > start) {
                number = piece(word, start, end);
            }
            known = number != null;
            pieces.add(number);
            start = end;
        }
        tokens.addAll(known ? pieces : Arrays.asList(number(unknown)));
        word.setLength(0);
    }

    private Integer piece(StringBuilder word, int start, int end) {
        return numbers.get((start > 0 ? "##" : "") + word.substring(start, end));
    }
}
