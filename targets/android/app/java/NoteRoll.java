package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/**
 * From activations of notes and of their onsets to notes (Bittner et al. 2022, arXiv:2203.09893, section 2.3). Each note is
 * taken away with its neighbours a semitone beside.
 */
final class NoteRoll {
    /** A note in frames: the first, the first behind it, its key (0 is the lowest), its mean activation. */
    static final class Note {
        final int start;
        final int end;
        final int key;
        final double strength;

        Note(int start, int end, int key, double strength) {
            this.start = start;
            this.end = end;
            this.key = key;
            this.strength = strength;
        }
    }

    private final float[] frames;
    private final float[] left;
    private final int keys;
    private final int count;
    private final NoteRules rules;
    private final List<Note> notes = new ArrayList<>();

    private NoteRoll(float[] frames, int keys, NoteRules rules) {
        this.frames = frames;
        this.keys = keys;
        this.rules = rules;
        left = frames.clone();
        count = frames.length / keys;
    }

    /** Notes, first those that begin with an onset (the latest first), then those in what is left. */
    static List<Note> notes(float[] frames, float[] onsets, int keys, NoteRules rules) {
        NoteRoll roll = new NoteRoll(frames, keys, rules);
        for (int at : NoteOnsets.of(frames, onsets, keys, rules.onset)) {
            roll.fromOnset(at / keys, at % keys);
        }
        roll.loudest();
        return roll.notes;
    }

    /** The note that begins here, until its activation has been low for a while, unless it is too short. */
    private void fromOnset(int start, int key) {
        int last = count - 1, low = 0, end = start + 1;
        if (start >= last) {
            return;
        }
        for (int at = start + 1; at < last; at++) {
            low = left[at * keys + key] < rules.frame ? low + 1 : 0;
            end = at + 1 - low;
            if (low >= rules.tolerance) {
                break;
            }
        }
        if (end - start > rules.shortest) {
            take(start, end, key);
            add(start, end, key);
        }
    }

    /** The notes around the largest activations, as long as these can be a note's. */
    private void loudest() {
        List<Integer> places = new ArrayList<>();
        for (int at = 0; at < left.length; at++) {
            if (left[at] > rules.frame) {
                places.add(at);
            }
        }
        final float[] before = left.clone();
        Collections.sort(places, new Comparator<Integer>() {
            @Override
            public int compare(Integer first, Integer second) {
                return Float.compare(before[second], before[first]);
            }
        });
        for (int at : places) {
            if (left[at] != 0) {
                around(at / keys, at % keys);
            }
        }
    }

    /** The note around a frame, unless it is too short. What was looked at is taken away in either case. */
    private void around(int middle, int key) {
        left[middle * keys + key] = 0;
        int end = walk(middle + 1, 1, key) - 1, start = walk(middle - 1, -1, key) + 1;
        if (end - start > rules.shortest) {
            add(start, end, key);
        }
    }

    /** The first frame that was not looked at, without the low ones before it; those looked at are taken away. */
    private int walk(int from, int step, int key) {
        int low = 0, at = from;
        while (at > 0 && at < count - 1 && low < rules.tolerance) {
            low = left[at * keys + key] < rules.frame ? low + 1 : 0;
            take(at, at + 1, key);
            at += step;
        }
        return at - step * low;
    }

    private void take(int start, int end, int key) {
        for (int at = start; at < end; at++) {
            for (int beside = Math.max(0, key - 1); beside < Math.min(keys, key + 2); beside++) {
                left[at * keys + beside] = 0;
            }
        }
    }

    private void add(int start, int end, int key) {
        double sum = 0;
        for (int at = start; at < end; at++) {
            sum += frames[at * keys + key];
        }
        notes.add(new Note(start, end, key, (float) (sum / (end - start))));
    }
}
