package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** In which stretches of a sound at 16 kHz somebody speaks; or, as it comes, how probable it is that somebody does. */
public final class SpeechActivity implements TaskLoop, AutoCloseable {
    private static final double RATE = 16000;
    /** Frames that are read at once. */
    private static final int BLOCK = 320;

    /** What was heard in a sound. */
    public static final class Heard {
        /** Start and end of each span in seconds, in order, none overlapping. */
        public final List<double[]> spans;
        /** The probability of speech in each frame. */
        public final List<Double> probabilities;

        Heard(List<double[]> spans, List<Double> probabilities) {
            this.spans = spans;
            this.probabilities = probabilities;
        }

        /** For people: such as "speech from 0.29 to 2.21 s". */
        @Override
        public String toString() {
            StringBuilder text = new StringBuilder();
            for (double[] span : spans) {
                text.append(text.length() == 0 ? "speech from " : ", ").append(Numbers.text(span[0], 2, false));
                text.append(" to ").append(Numbers.text(span[1], 2, false));
            }
            return text.length() == 0 ? "no speech" : text + " s";
        }
    }

    private final Graph network;
    private final Description description;
    private SpeechListener stream;

    public SpeechActivity(Map<String, Graph> parts, Description description) {
        network = parts.get("network");
        this.description = description;
        stream = listener();
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return detect(Samples.of(golden.get("audio").floats()), rules(), watch).toString();
    }

    /** The bundle's rules; an app may have others. */
    public SpeechRules rules() {
        return SpeechRules.of(Json.object(description.facts.get("rules")));
    }

    /** Seconds of a frame. */
    public double frame() {
        return stream.hop / RATE;
    }

    /**
     * Speech in a sound.
     *
     * @throws IllegalArgumentException the sound holds values that are not numbers.
     */
    public Heard detect(final Samples sound, SpeechRules rules, final Watch watch) {
        List<Double> heard = new ArrayList<>();
        try (SpeechListener listener = listener()) {
            int size = BLOCK * listener.hop;
            for (long from = 0; from < sound.length(); from += size) {
                final double done = from / RATE;
                Runnable check = new Runnable() {
                    @Override
                    public void run() {
                        watch.at(done, sound.length() / RATE);
                    }
                };
                heard.addAll(listener.push(sound.window(from, size), check));
                if (from + size >= sound.length()) {
                    heard.addAll(listener.finish(check));
                }
            }
            return new Heard(SpeechSpans.of(heard, rules, listener.hop, sound.length()), heard);
        }
    }

    /** The probabilities of the frames that the next samples of a stream complete, mostly none or few. */
    public List<Double> push(float[] samples) {
        for (float value : samples) {
            if (Float.isNaN(value) || Float.isInfinite(value)) {
                throw new IllegalArgumentException("the sound holds values that are not numbers (NaN or infinite)");
            }
        }
        return stream.push(samples, new Runnable() {
            @Override
            public void run() {}
        });
    }

    /** Begins a new stream. */
    public void reset() {
        stream.close();
        stream = listener();
    }

    private SpeechListener listener() {
        return new SpeechListener(network, description.part("network"), description.facts);
    }

    @Override
    public void close() {
        stream.close();
    }
}
