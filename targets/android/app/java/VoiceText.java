package edgekit.phone.loops;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** From a text to the phonemes that a voice reads, a sentence at a time. */
final class VoiceText {
    /** White space of any script. */
    private static final String SPACE = "[\\s\\x1c-\\x1f\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";

    /** Phonemes that stand in a text; marks that end a clause; those of them that end a sentence. */
    private static final Pattern BRACKETS = Pattern.compile("\\[\\[(.*?)\\]\\]", Pattern.DOTALL);

    private static final Pattern CLAUSE = Pattern.compile("([.,;:!?\u2026\u2014]+[\"'\u201d\u2019)\\]]*)(?= |\\z)");
    private static final Pattern END = Pattern.compile("(?<=[.!?])" + SPACE);
    /** Titles and initials, whose full stop ends nothing. */
    private static final Pattern TITLE = Pattern.compile(
            "(?:^|[ (\"'\u201c\u2018])(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Rev|Hon|Jr|Sr|vs|No|[A-Z])\\z");

    private VoiceText() {}

    /**
     * The phonemes of a text with its marks, decomposed. What stands in double brackets is taken as phonemes.
     *
     * @param phonemizer of the words outside of brackets; null: there are none.
     * @throws IllegalArgumentException words without a phonemizer, or nothing to read.
     */
    static String phonemes(String text, Phonemizer phonemizer) {
        StringBuilder joined = new StringBuilder();
        Matcher brackets = BRACKETS.matcher(text);
        int from = 0;
        while (brackets.find()) {
            add(joined, spoken(text.substring(from, brackets.start()), phonemizer));
            add(joined, trimmed(brackets.group(1)));
            from = brackets.end();
        }
        add(joined, spoken(text.substring(from), phonemizer));
        return checked(joined.toString());
    }

    /** A string of phonemes, decomposed. Throws IllegalArgumentException for nothing to read. */
    static String checked(String phonemes) {
        String plain = Normalizer.normalize(trimmed(phonemes), Normalizer.Form.NFD);
        if (!any(plain, false)) {
            throw new IllegalArgumentException("there is nothing to read in this text");
        }
        return plain;
    }

    /** The sentences of a string of phonemes, each with its mark. */
    static List<String> sentences(String phonemes) {
        List<String> sentences = new ArrayList<>();
        for (String piece : END.split(phonemes)) {
            if (!trimmed(piece).isEmpty()) {
                sentences.add(trimmed(piece));
            }
        }
        return sentences;
    }

    /** The phonemes of words, a mark after each clause. */
    private static String spoken(String words, Phonemizer phonemizer) {
        String held = trimmed(words.replaceAll(SPACE, " "));
        StringBuilder made = new StringBuilder();
        Matcher marks = CLAUSE.matcher(held);
        int from = 0;
        while (marks.find()) {
            boolean stop = marks.group(1).startsWith(".");
            if (!stop || !TITLE.matcher(held.substring(from, marks.start())).find()) {
                add(made, clause(held.substring(from, marks.end()), mark(marks.group(1)), phonemizer));
                from = marks.end();
            }
        }
        add(made, clause(held.substring(from), "", phonemizer));
        return made.toString();
    }

    private static String clause(String words, String mark, Phonemizer phonemizer) {
        if (!any(words, true)) {
            return "";
        }
        if (phonemizer == null) {
            throw new IllegalArgumentException("a voice reads phonemes: give them in [[ ]], or give a phonemizer");
        }
        // Words of other languages are marked by espeak-ng, such as "(fr)".
        String read = trimmed(phonemizer.phonemes(words).replaceAll("\\([^)]*\\)", "").replaceAll(SPACE, " "));
        return read.isEmpty() ? "" : read + mark;
    }

    /** The mark that a voice knows: of several the strongest. */
    private static String mark(String marks) {
        String known = marks.replace('\u2014', ',').replace('\u2026', '.');
        for (String mark : new String[] {"?", "!", ",", ";", ":"}) {
            if (known.contains(mark)) {
                return mark;
            }
        }
        return ".";
    }

    private static void add(StringBuilder joined, String piece) {
        joined.append(joined.length() > 0 && !piece.isEmpty() ? " " : "").append(piece);
    }

    private static String trimmed(String text) {
        return text.replaceAll("^" + SPACE + "|" + SPACE + "\\z", "");
    }

    /** Whether there is a letter in a text, or, with `numbers`, a number. */
    private static boolean any(String text, boolean numbers) {
        for (int at = 0, letter; at < text.length(); at += Character.charCount(letter)) {
            letter = text.codePointAt(at);
            int kind = Character.getType(letter);
            boolean number = kind == Character.DECIMAL_DIGIT_NUMBER || kind == Character.LETTER_NUMBER
                    || kind == Character.OTHER_NUMBER;
            if (Character.isLetter(letter) || numbers && number) {
                return true;
            }
        }
        return false;
    }
}
