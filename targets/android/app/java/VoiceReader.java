package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A voice: phonemes to their durations, to latent frames with noise of their own, to samples. */
public final class VoiceReader implements TaskLoop {
    /** Most frames of a phoneme; frames that the self-test gives each id. */
    private static final int LONGEST = 400, PROBED = 2;

    private final Graph encoder;
    private final VoiceDecoder decoder;
    private final VoiceAlphabet alphabet;
    private final int pause;
    private final int most;
    /** The ids that the encoder takes at once; 0: any number. */
    private final int fixed;
    /** Samples in a second. */
    public final int rate;
    /** The voice of espeak-ng whose phonemes it knows, such as "en-us". */
    public final String voice;

    private final VoiceManner manner;

    public VoiceReader(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        encoder = parts.get("encoder");
        decoder = new VoiceDecoder(parts.get("decoder"), description);
        fixed = Math.max(0, description.part("encoder").inputs[0].shape[1]);
        alphabet = new VoiceAlphabet(Json.object(facts.get("alphabet")));
        manner = VoiceManner.of(Json.object(facts.get("manner")));
        rate = Json.integer(facts.get("sample_rate"));
        voice = (String) facts.get("voice");
        most = fixed > 0 ? fixed : Json.integer(facts.get("most"));
        pause = (int) Math.rint(Json.number(facts.get("pause")) * rate);
    }

    /** The bundle's manner; an app may have others. */
    public VoiceManner manner() {
        return manner;
    }

    /**
     * Reads a text: its words by the phonemizer, and what stands in double brackets as phonemes.
     *
     * @param phonemizer null: there is nothing but phonemes in brackets.
     * @throws IllegalArgumentException there is nothing to read, or words without a phonemizer.
     */
    public VoiceSound read(String text, Phonemizer phonemizer, VoiceManner manner, Watch watch) {
        return speak(VoiceText.phonemes(text, phonemizer), manner, watch);
    }

    /**
     * Reads phonemes in the International Phonetic Alphabet, with the marks of their sentences.
     *
     * @throws IllegalArgumentException the voice knows none of a sentence's phonemes.
     */
    public VoiceSound speak(String phonemes, VoiceManner manner, Watch watch) {
        List<String> sentences = VoiceText.sentences(VoiceText.checked(phonemes));
        List<List<int[]>> ids = new ArrayList<>();
        for (String sentence : sentences) {
            ids.add(alphabet.pieces(sentence, most));
        }
        List<float[]> sounds = new ArrayList<>();
        for (int i = 0; i < ids.size(); i++) {
            if (i > 0) {
                sounds.add(new float[pause]);
            }
            for (int[] piece : ids.get(i)) {
                watch.at(i, ids.size());
                float[][] latents = latents(encoded(piece, manner, i), manner, i);
                sounds.addAll(decoder.sound(latents, watch, i, ids.size()));
            }
        }
        return new VoiceSound(sounds, rate, sentences, new ArrayList<>(alphabet.unknown(String.join("", sentences))));
    }

    /**
     * Both parts, neither deciding the other's inputs: two frames of noise for every id go to the decoder. A vocoder's phases
     * follow from its input's last digits, so that samples of the whole chain tell nothing.
     */
    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        String text = new String(golden.get("text").bytes(), StandardCharsets.UTF_8);
        String first = VoiceText.sentences(VoiceText.phonemes(text, null)).get(0);
        int[] ids = alphabet.pieces(first, most).get(0);
        int channels = encoded(ids, manner, 0).means.length;
        float[][] drawn = new float[channels][PROBED * ids.length];
        GaussianNoise noise = new GaussianNoise(manner.seed);
        for (int frame = 0; frame < drawn[0].length; frame++) {
            for (float[] channel : drawn) {
                channel[frame] = noise.next();
            }
        }
        return VoiceSound.seconds(VoiceSound.joined(decoder.sound(drawn, watch, 0, 1)).length, rate);
    }

    /** What the encoder gives for ids: frames of each, and by channel the means and deviations. */
    private static final class Encoded {
        final int[] frames;
        final float[][] means;
        final float[][] deviations;

        Encoded(int[] frames, float[][] means, float[][] deviations) {
            this.frames = frames;
            this.means = means;
            this.deviations = deviations;
        }
    }

    private Encoded encoded(int[] ids, VoiceManner manner, int place) {
        int size = fixed > 0 ? fixed : ids.length;
        long[] phonemes = new long[size];
        float[] mask = new float[size], noise = new float[2 * size];
        GaussianNoise drawn = new GaussianNoise(manner.seed, place);
        for (int i = 0; i < ids.length; i++) {
            phonemes[i] = ids[i];
            mask[i] = 1;
            noise[i] = (float) manner.rhythm * drawn.next();
            noise[size + i] = (float) manner.rhythm * drawn.next();
        }
        Map<String, Tensor> feeds = new HashMap<>();
        feeds.put("phonemes", Tensor.of(phonemes, 1, size));
        feeds.put("mask", Tensor.of(mask, 1, size));
        feeds.put("noise", Tensor.of(noise, 1, 2, size));
        Map<String, Tensor> made = encoder.run(feeds);
        try {
            int[] frames = frames(made.get("durations").floats(), ids.length, (float) manner.speed);
            return new Encoded(frames, rows(made.get("means"), size), rows(made.get("deviations"), size));
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** Whole frames of each id; not one of them silent where all would be. */
    private static int[] frames(float[] durations, int count, float speed) {
        int[] frames = new int[count];
        int sum = 0;
        for (int i = 0; i < count; i++) {
            frames[i] = (int) Math.max(0, Math.min(LONGEST, Math.ceil(durations[i] / speed)));  // 0 for no number
            sum += frames[i];
        }
        if (sum == 0) {
            Arrays.fill(frames, 1);
        }
        return frames;
    }

    private static float[][] rows(Tensor tensor, int size) {
        float[] values = tensor.floats();
        float[][] rows = new float[values.length / size][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Arrays.copyOfRange(values, i * size, (i + 1) * size);
        }
        return rows;
    }

    /** By channel. Each id draws noise of its own: a duration that is rounded otherwise changes none of what follows. */
    private static float[][] latents(Encoded encoded, VoiceManner manner, int place) {
        int total = 0, frame = 0;
        for (int count : encoded.frames) {
            total += count;
        }
        float[][] latents = new float[encoded.means.length][total];
        for (int id = 0; id < encoded.frames.length; id++) {
            GaussianNoise noise = new GaussianNoise(manner.seed, place, id);
            for (int end = frame + encoded.frames[id]; frame < end; frame++) {
                for (int channel = 0; channel < latents.length; channel++) {
                    float spread = (float) manner.noise * encoded.deviations[channel][id];
                    latents[channel][frame] = encoded.means[channel][id] + spread * noise.next();
                }
            }
        }
        return latents;
    }
}
