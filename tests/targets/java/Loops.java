package edgekit.phone.loops;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;

/** Answers samples that Python sends, by the loops alone. Argument: a folder with model.json and what belongs to it. */
public final class Loops {
    private static final Peer PEER = Peer.ONE;

    public static void main(String[] arguments) throws Exception {
        Path folder = Paths.get(arguments[0]);
        Path words = folder.resolve("vocabulary.bin");
        Description description = new Description(
                new String(Files.readAllBytes(folder.resolve("model.json")), StandardCharsets.UTF_8),
                Files.exists(words) ? Files.readAllBytes(words) : new byte[0]);
        Map<String, Graph> parts = new LinkedHashMap<>();
        for (Description.Part part : description.parts) {
            parts.put(part.name, PEER.graph(part.name));
        }
        while (true) {
            Map<String, Tensor> given;
            try {
                given = PEER.receive();
            } catch (EOFException end) {
                return;
            }
            Map<String, Tensor> answer = new LinkedHashMap<>();
            try {
                answer(folder, description, parts, given, answer);
            } catch (RuntimeException exception) {
                answer.clear();
                answer.put("error", text(exception.toString()));
            }
            answer.put("open", Tensor.of(new long[] {PEER.open}, 1));
            PEER.send("answer", answer);
        }
    }

    private static void answer(
            Path folder, Description description, Map<String, Graph> parts, Map<String, Tensor> given,
            Map<String, Tensor> answer) throws Exception {
        final long[] left = {given.containsKey("cancel after") ? given.get("cancel after").longs()[0] : Long.MAX_VALUE};
        Watch watch = (done, total) -> {
            if (left[0]-- <= 0) {
                throw new CancellationException("enough");
            }
        };
        if (given.containsKey("resize")) {
            long[] size = given.get("resize").longs();
            int[] shape = given.get("pixels").shape();
            byte[] made = Resample.resize(given.get("pixels").bytes(), shape[0], shape[1], (int) size[0], (int) size[1],
                    Resample.Filter.values()[(int) size[2]]);
            answer.put("pixels", Tensor.unsigned(made, made.length));
            return;
        }
        if (given.containsKey("seed")) {
            long[] words = given.get("seed").longs();
            int[] seed = new int[words.length];
            for (int i = 0; i < seed.length; i++) {
                seed[i] = (int) words[i];
            }
            Pcg64 random = new Pcg64(seed);
            double[] drawn = new double[1000];
            for (int i = 0; i < drawn.length; i++) {
                drawn[i] = random.gumbel();
            }
            answer.put("gumbel", floats(drawn));
            GaussianNoise noise = new GaussianNoise(seed);
            float[] normal = new float[40_000];
            for (int i = 0; i < normal.length; i++) {
                normal[i] = noise.next();
            }
            answer.put("normal", Tensor.of(normal, normal.length));
            return;
        }
        if (given.containsKey("self test")) {
            selfTest(folder, description, parts, watch, new String(given.get("loop").bytes(), StandardCharsets.UTF_8), answer);
            return;
        }
        if (given.containsKey("task")) {
            String task = new String(given.get("task").bytes(), StandardCharsets.UTF_8);
            new TaskLoops(description, parts, watch).answer(task, given, answer);
            return;
        }
        switch (description.family) {
            case "whisper":
                whisper(description, parts, given, answer, watch);
                break;
            case "vision":
                vision(description, parts, given, answer);
                break;
            case "speaker":
                float[] embedding =
                        new SpeakerEmbedder(parts, description).embed(Samples.of(given.get("audio").floats()), watch);
                answer.put("embedding", Tensor.of(embedding, embedding.length));
                break;
            default:
                keywords(description, parts, given, answer, watch);
        }
    }

    /** The golden input through a loop, as the classes of the modules do it. */
    private static void selfTest(
            Path folder, Description description, Map<String, Graph> parts, Watch watch, String loop,
            Map<String, Tensor> answer) throws Exception {
        final Map<String, Tensor> golden = vectors(folder.resolve("golden/input.bin"));
        final Constructor<?> make =
                Class.forName("edgekit.phone.loops." + loop).getConstructor(Map.class, Description.class);
        SelfTest.Result result = SelfTest.run(parts, vectors(folder.resolve("golden/reference.bin")), description, watched -> {
            try {
                return ((TaskLoop) make.newInstance(watched, description)).answer(golden, watch);
            } catch (ReflectiveOperationException exception) {
                throw new IllegalStateException(exception);
            }
        });
        answer.put("passed", Tensor.of(new long[] {result.passed() ? 1 : 0}, 1));
        answer.put("worst", Tensor.of(new float[] {Collections.max(result.errors.values()).floatValue()}, 1));
        List<String> names = new ArrayList<>(result.errors.keySet());
        Collections.sort(names);
        answer.put("parts", text(String.join(" ", names)));
        answer.put("said", text(result.answer));
        answer.put("expected", text(result.expected));
    }

    private static Map<String, Tensor> vectors(Path file) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            return Vectors.read(in);
        }
    }

    private static void whisper(
            Description description, Map<String, Graph> parts, Map<String, Tensor> given,
            Map<String, Tensor> answer, Watch watch) throws Exception {
        if (given.containsKey("decode")) {
            List<Integer> tokens = new ArrayList<>();
            for (long token : given.get("decode").longs()) {
                tokens.add((int) token);
            }
            WhisperTokens all = new WhisperTokens(Json.object(description.facts.get("tokens")), description.vocabulary);
            answer.put("text", text(all.text(tokens)));
            answer.put("stripped", text(WhisperTokens.stripped(all.text(tokens))));
            return;
        }
        Tensor language = given.get("language");
        String code = language == null ? null : new String(language.bytes(), StandardCharsets.UTF_8);
        WhisperOptions options = WhisperOptions.DEFAULT.language(code).translate(given.containsKey("translate"))
                .timestamps(given.containsKey("timestamps")).words(given.containsKey("words"));
        if (given.containsKey("chunks")) {
            StreamLoops.answer(new WhisperTranscriber(parts, description), options, given, watch, answer);
            return;
        }
        Transcript made = new WhisperTranscriber(parts, description)
                .transcribe(Samples.of(given.get("audio").floats()), options, watch);
        answer.put("text", text(made.text));
        answer.put("language", text(made.language));
        answer.put("fallbacks", text(String.join("\n", made.fallbacks)));
        double[] windows = new double[made.windows.size()];
        for (int i = 0; i < windows.length; i++) {
            windows[i] = made.windows.get(i);
        }
        answer.put("windows", floats(windows));
        StringBuilder segments = new StringBuilder();
        for (Transcript.Segment segment : made.segments) {
            segments.append(segment.start + "\t" + segment.end + "\t" + segment.text + "\n");
        }
        answer.put("segments", text(segments.toString()));
        StringBuilder words = new StringBuilder();
        for (Transcript.Word word : made.words) {
            words.append(word.word + "\t" + word.start + "\t" + word.end + "\t" + word.probability + "\n");
        }
        answer.put("words", text(words.toString()));
    }

    private static void vision(
            Description description, Map<String, Graph> parts, Map<String, Tensor> given, Map<String, Tensor> answer) {
        ImageClassifier classifier = new ImageClassifier(parts, description);
        int[] shape = given.get("pixels").shape();
        byte[] pixels = given.get("pixels").bytes();
        byte[] fitted = classifier.fitted(pixels, shape[0], shape[1]);
        answer.put("fitted", Tensor.unsigned(fitted, fitted.length));
        List<Ranked> ranking = classifier.classify(pixels, shape[0], shape[1], 5);
        double[] scores = new double[ranking.size()];
        StringBuilder labels = new StringBuilder();
        for (int i = 0; i < scores.length; i++) {
            scores[i] = ranking.get(i).score;
            labels.append(ranking.get(i).classIndex + "\t" + ranking.get(i).label + "\n");
        }
        answer.put("scores", floats(scores));
        answer.put("labels", text(labels.toString()));
    }

    private static void keywords(
            Description description, Map<String, Graph> parts, Map<String, Tensor> given, Map<String, Tensor> answer,
            Watch watch) {
        KeywordDetector detector = new KeywordDetector(parts, description);
        short[] samples = KeywordDetector.pcm(given.get("audio").floats());
        int piece = (int) given.get("piece").longs()[0];
        StringBuilder events = new StringBuilder();
        for (int at = 0; at < samples.length; at += piece) {
            int count = Math.min(piece, samples.length - at);
            short[] chunk = new short[count];
            System.arraycopy(samples, at, chunk, 0, count);
            for (KeywordEvent event : detector.feed(chunk, count, watch)) {
                events.append(event.word + "\t" + event.time + "\t" + event.score + "\n");
            }
        }
        answer.put("events", text(events.toString()));
    }

    private static Tensor text(String text) {
        byte[] bytes = String.valueOf(text).getBytes(StandardCharsets.UTF_8);
        return Tensor.unsigned(bytes, bytes.length);
    }

    private static Tensor floats(double[] values) {
        float[] found = new float[values.length];
        for (int i = 0; i < found.length; i++) {
            found[i] = (float) values[i];
        }
        return Tensor.of(found, found.length);
    }
}
