package edgekit.phone.loops;

import java.util.List;

/** A text that was read. */
public final class VoiceSound {
    /** Largest sample of a sound: voices differ in level. */
    private static final double PEAK = 0.95;

    /** Mono, in [-1, 1]; and how many of them are a second. */
    public final float[] samples;

    public final int rate;
    /** The phonemes of each sentence. */
    public final List<String> sentences;
    /** Phonemes that the voice does not know, which were left out. */
    public final List<String> unknown;

    VoiceSound(List<float[]> pieces, int rate, List<String> sentences, List<String> unknown) {
        samples = scaled(joined(pieces));
        this.rate = rate;
        this.sentences = sentences;
        this.unknown = unknown;
    }

    /** For people: such as "3.21 s of speech, 2 sentences". */
    @Override
    public String toString() {
        int count = sentences.size();
        return seconds(samples.length, rate) + ", " + count + (count > 1 ? " sentences" : " sentence");
    }

    static String seconds(int samples, int rate) {
        return Numbers.text(samples / (double) rate, 2, false) + " s of speech";
    }

    static float[] joined(List<float[]> pieces) {
        int size = 0, at = 0;
        for (float[] piece : pieces) {
            size += piece.length;
        }
        float[] whole = new float[size];
        for (float[] piece : pieces) {
            System.arraycopy(piece, 0, whole, at, piece.length);
            at += piece.length;
        }
        return whole;
    }

    /** Scaled in place so that the loudest sample is the peak; what is no number becomes silence. */
    private static float[] scaled(float[] sound) {
        float loudest = 0;
        for (int i = 0; i < sound.length; i++) {
            sound[i] = Float.isNaN(sound[i]) || Float.isInfinite(sound[i]) ? 0 : sound[i];
            loudest = Math.max(loudest, Math.abs(sound[i]));
        }
        float scale = loudest > 1e-6 ? (float) (PEAK / loudest) : 1;
        for (int i = 0; i < sound.length; i++) {
            sound[i] *= scale;
        }
        return sound;
    }
}
