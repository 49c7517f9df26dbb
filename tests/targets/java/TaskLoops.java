package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Answers samples by the loop of a task, whose name Python sends. */
final class TaskLoops {
    private final Description description;
    private final Map<String, Graph> parts;
    private final Watch watch;

    TaskLoops(Description description, Map<String, Graph> parts, Watch watch) {
        this.description = description;
        this.parts = parts;
        this.watch = watch;
    }

    void answer(String task, Map<String, Tensor> given, Map<String, Tensor> answer) {
        switch (task) {
            case "tensors":
                tensors(given, answer);
                break;
            case "image-classification":
                int[] sides = given.get("pixels").shape();
                byte[] rgb = given.get("pixels").bytes();
                ranked(new ImageClassifier(parts, description).classify(rgb, sides[0], sides[1], 5), answer);
                break;
            case "audio-classification":
                Samples sound = Samples.of(given.get("audio").floats());
                ranked(new SoundLabels(parts, description).classify(sound, 5), answer);
                break;
            case "automatic-speech-recognition":
                Samples speech = Samples.of(given.get("audio").floats());
                answer.put("text", text(new CtcLetters(parts, description).transcribe(speech, watch)));
                break;
            case "voice-activity-detection":
                speech(given, answer);
                break;
            case "image-to-text":
                read(given.get("pixels"), answer);
                break;
            case "automatic-music-transcription":
                music(given, answer);
                break;
            case "reinforcement-learning":
                PolicySteering policy = new PolicySteering(parts, description);
                float[] action = policy.act(given.get("numbers").floats());
                put(answer, "action", action);
                put(answer, "applied", policy.applied(action));
                break;
            case "object-detection":
                boxes(given.get("pixels"), given, answer);
                break;
            case "image-segmentation":
                int[] size = given.get("pixels").shape();
                PictureAreas.Mask mask =
                        new PictureAreas(parts, description).segment(given.get("pixels").bytes(), size[0], size[1]);
                answer.put("pixels", Tensor.unsigned(mask.classes, mask.height, mask.width));
                answer.put("text", text(mask.toString()));
                break;
            case "keypoint-detection":
                things(given.get("pixels"), answer);
                break;
            case "time-series-forecasting":
                forecast(given, answer);
                break;
            case "text-to-speech":
                speak(given, answer);
                break;
            default:
                SentenceVectors encoder = new SentenceVectors(parts, description);
                put(answer, "embedding", encoder.embed(new String(given.get("text").bytes(), StandardCharsets.UTF_8)));
        }
    }

    /** Tensors in the order of their names, which stand in lines. */
    private void tensors(Map<String, Tensor> given, Map<String, Tensor> answer) {
        TensorChain loop = new TensorChain(parts, description);
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        String[] names = new String(given.get("names").bytes(), StandardCharsets.UTF_8).split("\n");
        for (int i = 0; i < names.length; i++) {
            inputs.put(names[i], given.get("tensor " + i));
        }
        Map<String, Tensor> made = loop.run(inputs, watch);
        int at = 0;
        for (Tensor tensor : made.values()) {
            answer.put("tensor " + at++, tensor);
        }
        answer.put("names", text(String.join("\n", made.keySet())));
    }

    private static void ranked(List<Ranked> ranking, Map<String, Tensor> answer) {
        List<Float> numbers = new ArrayList<>();
        StringBuilder labels = new StringBuilder();
        for (Ranked one : ranking) {
            numbers.add(one.score);
            labels.append(one.classIndex).append('\t').append(one.label).append('\n');
        }
        put(answer, "scores", array(numbers));
        answer.put("labels", text(labels.toString()));
    }

    private void speech(Map<String, Tensor> given, Map<String, Tensor> answer) {
        try (SpeechActivity loop = new SpeechActivity(parts, description)) {
            float[] samples = given.get("audio").floats();
            SpeechRules rules = loop.rules();
            if (given.containsKey("rules")) {
                float[] r = given.get("rules").floats();
                rules = new SpeechRules(r[0], r[1], r[2], r[3], r[4], r[5], r[6]);
            }
            SpeechActivity.Heard heard = loop.detect(Samples.of(samples), rules, watch);
            List<Float> spans = new ArrayList<>();
            for (double[] span : heard.spans) {
                spans.add((float) span[0]);
                spans.add((float) span[1]);
            }
            put(answer, "spans", array(spans));
            List<Float> heards = new ArrayList<>();
            for (double probability : heard.probabilities) {
                heards.add((float) probability);
            }
            put(answer, "probabilities", array(heards));
            answer.put("text", text(heard.toString()));
            if (given.containsKey("piece")) {
                int piece = (int) given.get("piece").longs()[0];
                List<Float> streamed = new ArrayList<>();
                for (int at = 0; at < samples.length; at += piece) {
                    float[] chunk = java.util.Arrays.copyOfRange(samples, at, Math.min(at + piece, samples.length));
                    for (double probability : loop.push(chunk)) {
                        streamed.add((float) probability);
                    }
                }
                put(answer, "streamed", array(streamed));
            }
        }
    }

    private void music(Map<String, Tensor> given, Map<String, Tensor> answer) {
        PlayedNotes loop = new PlayedNotes(parts, description);
        NoteRules rules = loop.rules();
        if (given.containsKey("rules")) {
            float[] r = given.get("rules").floats();
            rules = new NoteRules(r[0], r[1], (int) r[2], (int) r[3]);
        }
        List<PlayedNotes.Note> notes = loop.transcribe(Samples.of(given.get("audio").floats()), rules, watch);
        List<Float> numbers = new ArrayList<>();
        for (PlayedNotes.Note note : notes) {
            numbers.add((float) note.start);
            numbers.add((float) note.end);
            numbers.add((float) note.pitch);
            numbers.add((float) note.velocity);
        }
        put(answer, "numbers", array(numbers));
        answer.put("text", text(PlayedNotes.text(notes)));
    }

    /** With "words" by a phonemizer that keeps letters and shows where a clause ends. */
    private void speak(Map<String, Tensor> given, Map<String, Tensor> answer) {
        VoiceReader loop = new VoiceReader(parts, description);
        VoiceManner manner = loop.manner();
        if (given.containsKey("manner")) {
            float[] m = given.get("manner").floats();
            manner = new VoiceManner(m[0], m[1], m[2], (int) m[3]);
        }
        String text = new String(given.get("text").bytes(), StandardCharsets.UTF_8);
        Phonemizer phonemizer = clause -> "(fr)" + clause.replaceAll("[.,;:!?]", "") + " x";
        VoiceSound sound = given.containsKey("phonemes")
                ? loop.speak(text, manner, watch)
                : loop.read(text, given.containsKey("words") ? phonemizer : null, manner, watch);
        put(answer, "samples", sound.samples);
        answer.put("sentences", text(String.join("\t", sound.sentences)));
        answer.put("unknown", text(String.join(" ", sound.unknown)));
        answer.put("text", text(sound.toString()));
    }

    private void read(Tensor pixels, Map<String, Tensor> answer) {
        int[] shape = pixels.shape();
        List<TextLine> lines = new PictureText(parts, description).read(pixels.bytes(), shape[0], shape[1], watch);
        List<Float> numbers = new ArrayList<>();
        for (TextLine line : lines) {
            numbers.add((float) line.score);
            for (double[] corner : line.corners) {
                numbers.add((float) corner[0]);
                numbers.add((float) corner[1]);
            }
        }
        put(answer, "numbers", array(numbers));
        answer.put("text", text(TextLine.text(lines)));
    }

    private void boxes(Tensor pixels, Map<String, Tensor> given, Map<String, Tensor> answer) {
        BoxDetector detector = new BoxDetector(parts, description);
        double threshold = given.containsKey("threshold") ? given.get("threshold").floats()[0] : detector.threshold;
        List<Box> boxes = detector.detect(pixels.bytes(), pixels.shape()[0], pixels.shape()[1], threshold);
        List<Float> numbers = new ArrayList<>();
        for (Box box : boxes) {
            numbers.add((float) box.score);
            for (double[] places : new double[][] {box.sides, box.points}) {
                for (double place : places) {
                    numbers.add((float) place);
                }
            }
        }
        put(answer, "numbers", array(numbers));
        answer.put("text", text(Box.text(boxes)));
    }

    private void things(Tensor pixels, Map<String, Tensor> answer) {
        PictureKeypoints loop = new PictureKeypoints(parts, description);
        List<PictureKeypoints.Thing> things = loop.find(pixels.bytes(), pixels.shape()[0], pixels.shape()[1], watch);
        List<Float> numbers = new ArrayList<>();
        for (PictureKeypoints.Thing thing : things) {
            numbers.add((float) thing.score);
            for (double place : thing.points) {
                numbers.add((float) place);
            }
        }
        put(answer, "numbers", array(numbers));
        answer.put("text", text(PictureKeypoints.text(things)));
    }

    private void forecast(Map<String, Tensor> given, Map<String, Tensor> answer) {
        SeriesForecast loop = new SeriesForecast(parts, description);
        int steps = given.containsKey("steps") ? (int) given.get("steps").longs()[0] : loop.horizon;
        double[][] rows = loop.forecast(doubles(given.get("numbers").floats()), steps, watch);
        List<Float> numbers = new ArrayList<>();
        for (double[] row : rows) {
            for (double value : row) {
                numbers.add((float) value);
            }
        }
        put(answer, "quantiles", array(numbers));
        answer.put("text", text(loop.text(rows)));
    }

    private static double[] doubles(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    private static float[] array(List<Float> values) {
        float[] array = new float[values.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = values.get(i);
        }
        return array;
    }

    private static void put(Map<String, Tensor> answer, String name, float[] values) {
        answer.put(name, Tensor.of(values, values.length));
    }

    private static Tensor text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Tensor.unsigned(bytes, bytes.length);
    }
}
