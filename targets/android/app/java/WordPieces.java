package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Texts to the tokens of BERT's uncased vocabularies: lower case, no accents, words, then their longest pieces. */
final class WordPieces {
    private static final List<String> SPECIAL = Arrays.asList("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
    /** A longer word is unknown, in letters. */
    private static final int LONGEST = 100;
    /** First and last of the ranges whose letters are words by themselves. */
    private static final int[] IDEOGRAPHS = {
        0x4E00, 0x9FFF, 0x3400, 0x4DBF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F, 0x2B920, 0x2CEAF,
        0xF900, 0xFAFF, 0x2F800, 0x2FA1F
    };

    private final Map<String, Integer> numbers = new HashMap<>();
    final int pad;

    /** @param vocabulary for each token in order its length in 16 bits, and its bytes. */
    WordPieces(byte[] vocabulary, String pad) {
        for (int at = 0; at + 1 < vocabulary.length; ) {
            int size = (vocabulary[at] & 255) | (vocabulary[at + 1] & 255) << 8;
            String token = new String(vocabulary, at + 2, size, StandardCharsets.UTF_8);
            numbers.put(token, numbers.size());
            at += 2 + size;
        }
        this.pad = number(pad);
    }

    /** The tokens of a text between a first and a last special token, cut to `most`. */
    List<Integer> tokens(String text, int most) {
        List<Integer> tokens = new ArrayList<>();
        tokens.add(number("[CLS]"));
        int from = 0;
        for (int at = 0; at < text.length(); at++) {
            for (String special : text.charAt(at) == '[' ? SPECIAL : new ArrayList<String>()) {
                if (at >= from && text.startsWith(special, at)) {
                    words(text.substring(from, at), tokens);
                    tokens.add(number(special));
                    from = at + special.length();
                }
            }
        }
        words(text.substring(from), tokens);
        List<Integer> kept = new ArrayList<>(tokens.subList(0, Math.min(tokens.size(), most - 1)));
        kept.add(number("[SEP]"));
        return kept;
    }

    private int number(String token) {
        Integer number = numbers.get(token);
        if (number == null) {
            throw new IllegalArgumentException("the vocabulary has no " + token);
        }
        return number;
    }

    private void words(String text, List<Integer> tokens) {
        StringBuilder word = new StringBuilder();
        String plain = Normalizer.normalize(cleaned(text), Normalizer.Form.NFD);
        for (int at = 0, letter; at < plain.length(); at += Character.charCount(letter)) {
            letter = plain.codePointAt(at);
            if (letter == ' ') {
                word(word, tokens);
            } else if (isPunctuation(letter)) {
                word(word, tokens);
                word(word.appendCodePoint(letter), tokens);
            } else if (Character.getType(letter) != Character.NON_SPACING_MARK) {
                word.appendCodePoint(Character.toLowerCase(letter));
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
        tokens.addAll(known ? pieces : Arrays.asList(number("[UNK]")));
        word.setLength(0);
    }

    private Integer piece(StringBuilder word, int start, int end) {
        return numbers.get((start > 0 ? "##" : "") + word.substring(start, end));
    }
}
