package edgekit.phone.runtime;

import edgekit.phone.loops.Description;
import edgekit.phone.loops.Graph;
import edgekit.phone.loops.ImageClassifier;
import edgekit.phone.loops.KeywordDetector;
import edgekit.phone.loops.SelfTest;
import edgekit.phone.loops.SpeakerEmbedder;
import edgekit.phone.loops.Tensor;
import edgekit.phone.loops.Vectors;
import edgekit.phone.loops.WhisperTranscriber;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model that is installed and loaded. Its parts are called from one thread at a time; opening, tests and answers take
 * long and do not belong on an app's main thread.
 */
public final class Model implements AutoCloseable {
    /** Opens a graph of the model. */
    interface Opener {
        Graph open(File file, Description.Part part);
    }

    private final File folder;
    private final Description description;
    private final Map<String, Graph> parts;

    private Model(File folder, Description description, Map<String, Graph> parts) {
        this.folder = folder;
        this.description = description;
        this.parts = parts;
    }

    /** Installs the model into the folder and loads it. */
    static Model open(Installed.Source source, File folder, Opener opener) throws IOException {
        Installed.install(source, folder);
        Description description = new Description(Installed.text(new FileInputStream(new File(folder, "model.json"))));
        Map<String, Graph> parts = new LinkedHashMap<>();
        Model model = new Model(folder, description, parts);
        boolean whole = false;
        try {
            for (Description.Part part : description.parts) {
                parts.put(part.name, opener.open(new File(folder, part.file), part));
            }
            whole = true;
        } finally {
            if (!whole) {
                model.close();
            }
        }
        return model;
    }

    /** What the bundle says of itself. */
    public Description description() {
        return description;
    }

    /** The graphs, by the names of the bundle's parts. They stay this object's. */
    public Map<String, Graph> parts() {
        return Collections.unmodifiableMap(parts);
    }

    /** For bundles of image classifiers. */
    public ImageClassifier classifier() {
        return new ImageClassifier(parts.get("network"), description);
    }

    /** For bundles of keywords and wake words. */
    public KeywordDetector detector() {
        return new KeywordDetector(parts, description);
    }

    /** For bundles of speaker verification. */
    public SpeakerEmbedder embedder() {
        return new SpeakerEmbedder(parts, description);
    }

    /** For bundles of speech recognition. */
    public WhisperTranscriber transcriber() throws IOException {
        return new WhisperTranscriber(parts, description, vocabulary());
    }

    /** Runs the golden input and compares with what the fp32 reference computed. To be run once after installing. */
    public SelfTest.Result selfTest() throws IOException {
        final Map<String, Tensor> input = vectors("golden/input.bin");
        final byte[] vocabulary = new File(folder, "vocabulary.bin").isFile() ? vocabulary() : null;
        return SelfTest.run(parts, vectors("golden/reference.bin"), description, new SelfTest.Answering() {
            @Override
            public String answer(Map<String, Graph> watched) {
                return Answers.of(watched, description, input, vocabulary);
            }
        });
    }

    private byte[] vocabulary() throws IOException {
        return Installed.bytes(new FileInputStream(new File(folder, "vocabulary.bin")));
    }

    private Map<String, Tensor> vectors(String name) throws IOException {
        try (InputStream file = new FileInputStream(new File(folder, name))) {
            return Vectors.read(new DataInputStream(new BufferedInputStream(file)));
        }
    }

    @Override
    public void close() {
        for (Graph part : parts.values()) {
            part.close();
        }
        parts.clear();
    }
}
