package edgekit.phone.runtime;

import edgekit.phone.loops.Description;
import edgekit.phone.loops.EdgekitLoop;
import edgekit.phone.loops.Graph;
import edgekit.phone.loops.SelfTest;
import edgekit.phone.loops.Tensor;
import edgekit.phone.loops.Vectors;
import edgekit.phone.loops.Watch;
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

    private static final Watch NOBODY = new Watch() {
        @Override
        public void at(double done, double total) {}
    };

    private final File folder;
    private final Description description;
    private final Map<String, Graph> parts;
    private final EdgekitLoop loop;

    private Model(File folder, Description description, Map<String, Graph> parts) {
        this.folder = folder;
        this.description = description;
        this.parts = parts;
        loop = new EdgekitLoop(parts, description);
    }

    /** Installs the model into the folder and loads it. */
    static Model open(Installed.Source source, File folder, Opener opener) throws IOException {
        Installed.install(source, folder);
        File words = new File(folder, "vocabulary.bin");
        byte[] vocabulary = words.isFile() ? Installed.bytes(new FileInputStream(words)) : new byte[0];
        String said = Installed.text(new FileInputStream(new File(folder, "model.json")));
        Description description = new Description(said, vocabulary);
        Map<String, Graph> parts = new LinkedHashMap<>();
        Model model = null;
        try {
            for (Description.Part part : description.parts) {
                parts.put(part.name, opener.open(new File(folder, part.file), part));
            }
            model = new Model(folder, description, parts);
        } finally {
            if (model == null) {
                closeAll(parts);
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

    /** What answers an app's inputs, in the words of the model's task. */
    public EdgekitLoop loop() {
        return loop;
    }

    /** Runs the golden input and compares with what the fp32 reference computed. To be run once after installing. */
    public SelfTest.Result selfTest() throws IOException {
        final Map<String, Tensor> golden = vectors("golden/input.bin");
        return SelfTest.run(parts, vectors("golden/reference.bin"), description, new SelfTest.Answering() {
            @Override
            public String answer(Map<String, Graph> watched) {
                return new EdgekitLoop(watched, description).answer(golden, NOBODY);
            }
        });
    }

    private Map<String, Tensor> vectors(String name) throws IOException {
        try (InputStream file = new FileInputStream(new File(folder, name))) {
            return Vectors.read(new DataInputStream(new BufferedInputStream(file)));
        }
    }

    @Override
    public void close() {
        closeAll(parts);
        parts.clear();
    }

    private static void closeAll(Map<String, Graph> parts) {
        for (Graph part : parts.values()) {
            part.close();
        }
    }
}
