package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Words or a wake phrase in sound at 16 kHz that comes in pieces of any size. What it gives in all does not depend on where
 * the sound was cut.
 */
public final class KeywordDetector implements TaskLoop {
    private final KeywordEar ear;
    private final KeywordRules rules;
    private final KeywordJudge judge;
    private short[] held;
    private int first;
    private int end;

    public KeywordDetector(Map<String, Graph> parts, Description description) {
        ear = KeywordEar.of(parts, description);
        rules = KeywordRules.of(description.facts);
        judge = new KeywordJudge(rules);
        reset();
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        short[] samples = pcm(golden.get("audio").floats());
        StringBuilder heard = new StringBuilder();
        for (KeywordEvent event : feed(samples, samples.length, watch)) {
            heard.append(heard.length() > 0 ? ", " : "").append(event.word);
            heard.append(" at ").append(Numbers.text(event.time, 2, false)).append(" s");
        }
        return heard.toString();
    }

    /** The words that it can hear. */
    public List<String> words() {
        return new ArrayList<>(Arrays.asList(rules.labels));
    }

    /** Samples in a second. */
    public int rate() {
        return rules.rate;
    }

    /** Forgets all sound so far; times count from here. */
    public void reset() {
        ear.reset();
        judge.reset();
        held = new short[ear.size + ear.before()];
        first = 0;
        end = ear.before();
    }

    /** Takes the next samples; returns the events that they complete, mostly none. */
    public List<KeywordEvent> feed(short[] chunk, int count, Watch watch) {
        append(chunk, count);
        List<KeywordEvent> events = new ArrayList<>();
        float[] window = new float[ear.size];
        while (end - first >= ear.size) {
            for (int i = 0; i < window.length; i++) {
                window[i] = held[first + i] / 32768f;
            }
            first += ear.hop;
            KeywordEvent event = judge.push(ear.look(window.clone()));
            if (event != null) {
                events.add(event);
            }
            watch.at(first, end);
        }
        return events;
    }

    private void append(short[] chunk, int count) {
        int kept = end - first;
        if (end + count > held.length) {
            short[] room = kept + count > held.length ? new short[kept + count] : held;
            System.arraycopy(held, first, room, 0, kept);
            held = room;
            first = 0;
            end = kept;
        }
        System.arraycopy(chunk, 0, held, end, count);
        end += count;
    }

    /** Floats in [-1, 1] as the samples that feed() takes. */
    public static short[] pcm(float[] samples) {
        short[] steps = new short[samples.length];
        for (int i = 0; i < steps.length; i++) {
            if (Float.isNaN(samples[i]) || Float.isInfinite(samples[i])) {
                throw new IllegalArgumentException("the sound holds values that are not numbers (NaN or infinite)");
            }
            steps[i] = (short) Math.max(-32768, Math.min(32767, Math.rint(samples[i] * 32768.0f)));
        }
        return steps;
    }
}
