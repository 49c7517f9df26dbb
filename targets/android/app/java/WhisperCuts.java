package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** Where a long sound is cut: in pauses. Looser than the detector's own rules: a lost word weighs more than a kept pause. */
final class WhisperCuts {
    static final SpeechRules RULES = new SpeechRules(0.5, Double.NaN, 0.1, 0.5, 0.25, 28.0, 0.098);
    /** Seconds: of a window at most, and of a pause in one at most. */
    private static final double WINDOW = 29.5;

    private static final double PAUSE = 2.0;

    private WhisperCuts() {}

    /** The windows to transcribe: as many spans together as fit, unless a long pause parts them. */
    static List<double[]> packed(List<double[]> spans) {
        List<double[]> windows = new ArrayList<>();
        for (double[] span : spans) {
            double[] last = windows.isEmpty() ? null : windows.get(windows.size() - 1);
            if (last != null && span[1] - last[0] <= WINDOW && span[0] - last[1] <= PAUSE) {
                last[1] = span[1];
            } else {
                windows.add(span.clone());
            }
        }
        return windows;
    }
}
