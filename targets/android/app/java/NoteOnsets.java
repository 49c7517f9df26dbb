package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** Where notes begin: onsets, and rises of the activation of notes. */
final class NoteOnsets {
    /** Frames over which a rise counts. */
    private static final int RISE = 2;

    private NoteOnsets() {}

    /** Places (frame times keys, plus key) of the peaks over time that reach `least`, the latest first. */
    static List<Integer> of(float[] frames, float[] onsets, int keys, float least) {
        float[] starts = withRises(frames, onsets, keys);
        List<Integer> places = new ArrayList<>();
        for (int at = frames.length - keys - 1; at >= keys; at--) {
            if (starts[at] > starts[at - keys] && starts[at] > starts[at + keys] && starts[at] >= least) {
                places.add(at);
            }
        }
        return places;
    }

    /** The larger of onsets and rises, these scaled to the same maximum. */
    private static float[] withRises(float[] frames, float[] onsets, int keys) {
        float most = 0, highest = 0;
        float[] rises = new float[frames.length];
        for (int at = 0; at < frames.length; at++) {
            float rise = at < RISE * keys ? 0 : Float.POSITIVE_INFINITY;
            for (int n = 1; n <= RISE && at >= RISE * keys; n++) {
                rise = Math.min(rise, frames[at] - frames[at - n * keys]);
            }
            rises[at] = Math.max(0, rise);
            most = Math.max(most, rises[at]);
            highest = Math.max(highest, onsets[at]);
        }
        for (int at = 0; at < frames.length; at++) {
            rises[at] = most > 0 ? Math.max(onsets[at], highest * rises[at] / most) : onsets[at];
        }
        return rises;
    }
}
