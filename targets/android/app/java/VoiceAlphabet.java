package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Phonemes as ids of a voice's table, in pieces that a network takes at once. */
final class VoiceAlphabet {
    /** Phoneme to its ids: "_" stands between all, "^" and "$" at the begin and the end. */
    private final Map<String, int[]> table = new HashMap<>();

    /** @param facts "alphabet" of the bundle's facts. */
    VoiceAlphabet(Map<String, Object> facts) {
        for (Map.Entry<String, Object> entry : facts.entrySet()) {
            table.put(entry.getKey(), Json.integers(entry.getValue()));
        }
    }

    /** The phonemes that it does not know, which are left out. */
    Set<String> unknown(String phonemes) {
        Set<String> unknown = new TreeSet<>();
        for (String letter : letters(phonemes)) {
            if (!table.containsKey(letter)) {
                unknown.add(letter);
            }
        }
        return unknown;
    }

    /**
     * The ids of a sentence; of a long one in pieces of at most `most` ids, cut behind a comma or a word.
     *
     * @throws IllegalArgumentException the voice knows none of its phonemes.
     */
    List<int[]> pieces(String sentence, int most) {
        List<String> known = new ArrayList<>();
        int widest = 0;
        boolean spoken = false;
        for (String letter : letters(sentence)) {
            if (table.containsKey(letter)) {
                known.add(letter);
                widest = Math.max(widest, table.get(letter).length + table.get("_").length);
                spoken = spoken || Character.isLetter(letter.codePointAt(0));
            }
        }
        if (!spoken) {
            throw new IllegalArgumentException("the voice knows no phoneme of this sentence");
        }
        int frame = table.get("^").length + table.get("_").length + table.get("$").length;
        int room = Math.max(1, (most - frame) / widest);
        List<int[]> pieces = new ArrayList<>();
        for (int from = 0; from < known.size(); ) {
            List<String> left = known.subList(from, known.size());
            int cut = cut(left, room);
            pieces.add(ids(left.subList(0, cut)));
            from += cut;
        }
        return pieces;
    }

    private int[] ids(List<String> letters) {
        List<Integer> ids = new ArrayList<>();
        add(ids, "^");
        add(ids, "_");
        for (String letter : letters) {
            add(ids, letter);
            add(ids, "_");
        }
        add(ids, "$");
        return Numbers.array(ids);
    }

    private void add(List<Integer> ids, String letter) {
        for (int id : table.get(letter)) {
            ids.add(id);
        }
    }

    /** How many letters go into the next piece. */
    private static int cut(List<String> letters, int room) {
        if (letters.size() <= room) {
            return letters.size();
        }
        for (String marks : new String[] {",;:", ""}) {
            for (int at = room - 1; at > room / 2; at--) {
                if (letters.get(at).equals(" ") && (marks.isEmpty() || marks.contains(letters.get(at - 1)))) {
                    return at + 1;
                }
            }
        }
        return room;
    }

    private static List<String> letters(String text) {
        List<String> letters = new ArrayList<>();
        for (int at = 0; at < text.length(); at += letters.get(letters.size() - 1).length()) {
            letters.add(new String(Character.toChars(text.codePointAt(at))));
        }
        return letters;
    }
}
