package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** The notes of a sound, of any instruments. */
public final class PlayedNotes implements TaskLoop {
    /** Seconds of a sound at most: every second takes 60 kB. */
    private static final int LONGEST = 1200;

    /** A note. */
    public static final class Note {
        /** Seconds from the start of the sound. */
        public final double start;

        public final double end;
        /** As MIDI counts: 60 is the middle C. */
        public final int pitch;
        /** 1..127. */
        public final int velocity;

        Note(double start, double end, int pitch, int velocity) {
            this.start = start;
            this.end = end;
            this.pitch = pitch;
            this.velocity = velocity;
        }
    }

    private final Graph network;
    private final Map<String, Object> facts;
    private final int window;
    private final int half;
    private final int frame;
    /** Samples in a second. */
    public final int rate;

    public PlayedNotes(Map<String, Graph> parts, Description description) {
        network = parts.get("network");
        facts = description.facts;
        rate = Json.integer(facts.get("sample_rate"));
        window = Json.integer(facts.get("window"));
        half = Json.integer(facts.get("overlap")) / 2;
        frame = Json.integer(facts.get("frame"));
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return text(transcribe(Samples.of(golden.get("audio").floats()), rules(), watch));
    }

    /** The bundle's rules; an app may have others. */
    public NoteRules rules() {
        return NoteRules.of(Json.object(facts.get("rules")));
    }

    /**
     * The notes of a sound in order of their starts.
     *
     * @throws IllegalArgumentException longer than 20 minutes, or values that are not numbers.
     */
    public List<Note> transcribe(Samples sound, NoteRules rules, Watch watch) {
        long size = sound.length();
        if (size > (long) LONGEST * rate) {
            throw new IllegalArgumentException("the sound is longer than " + LONGEST + " seconds");
        }
        int before = half * frame, hop = window - 2 * before, keys = 0;
        int count = (int) (size * Json.integer(facts.get("frames_per_second")) / rate);
        float[] notes = new float[0], onsets = notes;
        for (int start = -before, at = 0; start < size || at == 0; start += hop) {
            watch.at(Math.max(0, start) / (double) rate, size / (double) rate);
            float[] samples = new float[window];
            float[] held = sound.window(Math.max(0, start), window + Math.min(0, start));
            System.arraycopy(held, 0, samples, Math.max(0, -start), held.length);
            Map<String, Tensor> made = network.run(Collections.singletonMap("audio", Tensor.of(samples, 1, window, 1)));
            try {
                int[] shape = made.get("note").shape();
                keys = shape[2];
                int done = Math.min(at, count), rows = Math.min(shape[1] - 2 * half, count - done);
                notes = at == 0 ? new float[count * keys] : notes;
                onsets = at == 0 ? new float[count * keys] : onsets;
                System.arraycopy(made.get("note").floats(), half * keys, notes, done * keys, rows * keys);
                System.arraycopy(made.get("onset").floats(), half * keys, onsets, done * keys, rows * keys);
                at += shape[1] - 2 * half;
            } finally {
                Tensor.closeAll(made);
            }
        }
        return timed(NoteRoll.notes(notes, onsets, keys, rules));
    }

    private List<Note> timed(List<NoteRoll.Note> notes) {
        int lowest = Json.integer(facts.get("lowest"));
        List<Note> timed = new ArrayList<>();
        for (NoteRoll.Note note : notes) {
            int velocity = Math.max(1, (int) Math.rint(127 * note.strength));
            timed.add(new Note(seconds(note.start), seconds(note.end), note.key + lowest, velocity));
        }
        Collections.sort(timed, new Comparator<Note>() {
            @Override
            public int compare(Note first, Note second) {
                int order = Double.compare(first.start, second.start);
                return order != 0 ? order : Integer.compare(first.pitch, second.pitch);
            }
        });
        return timed;
    }

    /** A window's frames last a little less than they count. */
    private double seconds(int at) {
        Map<String, Object> drift = Json.object(facts.get("drift"));
        int windows = at / Json.integer(drift.get("frames"));
        return Math.max(0, at * (long) frame / (double) rate - windows * Json.number(drift.get("seconds")));
    }

    /** For people. */
    public static String text(List<Note> notes) {
        if (notes.isEmpty()) {
            return "no notes";
        }
        double end = 0;
        for (Note note : notes) {
            end = Math.max(end, note.end);
        }
        String count = notes.size() > 1 ? notes.size() + " notes" : "1 note";
        return count + " from " + Numbers.text(notes.get(0).start, 2, false) + " to " + Numbers.text(end, 2, false) + " s";
    }
}
