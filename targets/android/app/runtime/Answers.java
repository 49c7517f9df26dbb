package edgekit.phone.runtime;

import edgekit.phone.loops.Description;
import edgekit.phone.loops.Graph;
import edgekit.phone.loops.ImageClassifier;
import edgekit.phone.loops.KeywordDetector;
import edgekit.phone.loops.KeywordEvent;
import edgekit.phone.loops.Samples;
import edgekit.phone.loops.SpeakerEmbedder;
import edgekit.phone.loops.Tensor;
import edgekit.phone.loops.Watch;
import edgekit.phone.loops.WhisperTranscriber;
import java.util.Map;

/** What a model says to a golden input, as a text for people. */
final class Answers {
    private static final Watch NOBODY = new Watch() {
        @Override
        public void at(double done, double total) {}
    };

    private Answers() {}

    static String of(Map<String, Graph> parts, Description description, Map<String, Tensor> input, byte[] vocabulary) {
        switch (description.family) {
            case "whisper":
                return new WhisperTranscriber(parts, description, vocabulary).probe(sound(input), NOBODY);
            case "vision":
                Tensor pixels = input.get("pixels");
                int[] shape = pixels.shape();
                ImageClassifier classifier = new ImageClassifier(parts.get("network"), description);
                return classifier.classify(pixels.bytes(), shape[0], shape[1], 1).get(0).label;
            case "speaker":
                float[] embedding = new SpeakerEmbedder(parts, description).embed(sound(input), NOBODY);
                return "an embedding of " + embedding.length + " values";
            default:
                short[] samples = KeywordDetector.pcm(input.get("audio").floats());
                StringBuilder heard = new StringBuilder();
                for (KeywordEvent event : new KeywordDetector(parts, description).feed(samples, samples.length, NOBODY)) {
                    heard.append(heard.length() > 0 ? ", " : "").append(event.word);
                }
                return heard.length() > 0 ? heard.toString() : "nothing was heard";
        }
    }

    private static Samples sound(Map<String, Tensor> input) {
        return Samples.of(input.get("audio").floats());
    }
}
