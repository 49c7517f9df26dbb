package edgekit.phone.loops;

import java.util.Arrays;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;

/** Speech to text, of networks that give a letter for every moment (CTC): the likeliest at each. */
public final class CtcLetters implements TaskLoop {
    private final Graph network;
    private final String input;
    private final String output;
    private final Waveform waves;
    private final String[] vocabulary;
    private final int blank;
    /** Between words; empty: there are none. */
    private final String delimiter;
    private final boolean lower;
    /** Samples in a second. */
    public final int rate;

    public CtcLetters(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        Description.Part part = description.part("network");
        network = parts.get("network");
        input = part.inputs[0].name;
        output = part.outputs[0].name;
        waves = new Waveform(facts, part.inputs[0]);
        rate = waves.rate;
        vocabulary = Json.texts(facts.get("vocabulary"));
        blank = Json.integer(facts.get("blank"));
        delimiter = (String) facts.get("delimiter");
        lower = Boolean.TRUE.equals(facts.get("lower"));
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        return transcribe(Samples.of(golden.get("audio").floats()), watch);
    }

    /**
     * The text of a sound; of a long one window after window.
     *
     * @throws IllegalArgumentException the sound is too short, or values are not numbers.
     */
    public String transcribe(Samples sound, Watch watch) {
        StringBuilder text = new StringBuilder();
        long start = 0;
        for (float[] held = waves.window(sound, 0); held.length > 0; held = waves.window(sound, start)) {
            watch.at(start / (double) rate, sound.length() / (double) rate);
            String heard = letters(held);
            text.append(text.length() > 0 && !heard.isEmpty() ? " " : "").append(heard);
            start = waves.after(start, held);
            if (start < 0) {
                break;
            }
        }
        return lower ? text.toString().toLowerCase(Locale.ROOT) : text.toString();
    }

    /** A letter that stays counts once; a blank parts equal ones. */
    private String letters(float[] held) {
        Tensor samples = waves.input(held);
        Map<String, Tensor> made = network.run(Collections.singletonMap(input, samples));
        try {
            Tensor logits = made.get(output);
            float[] values = logits.floats();
            int moments = logits.shape()[1], count = logits.shape()[2], last = -1;
            // What was filled up has no letters; a moment covers as many samples as any other.
            long heard = ((long) moments * held.length + samples.size() - 1) / samples.size();
            StringBuilder text = new StringBuilder();
            for (int moment = 0; moment < heard; moment++) {
                int best = Numbers.argmax(Arrays.copyOfRange(values, moment * count, (moment + 1) * count));
                if (best != last && best != blank && best < vocabulary.length) {
                    text.append(vocabulary[best]);
                }
                last = best;
            }
            return delimiter.isEmpty() ? text.toString() : words(text.toString().replace(delimiter, " "));
        } finally {
            Tensor.closeAll(made);
        }
    }

    private static String words(String text) {
        return text.trim().replaceAll("\\s+", " ");
    }
}
