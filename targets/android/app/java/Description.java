package edgekit.phone.loops;

import java.util.List;
import java.util.Map;

/** What a bundle says about itself: its parts, and the facts that the loops need. Read from model.json. */
public final class Description {
    /** One input or output of a part. Dynamic axes have size -1, and a name; the others have none (null). */
    public static final class Spec {
        public final String name;
        public final String dtype;
        public final int[] shape;
        public final String[] axes;

        Spec(Map<String, Object> facts) {
            name = (String) facts.get("name");
            dtype = (String) facts.get("dtype");
            List<Object> sizes = Json.list(facts.get("shape"));
            shape = new int[sizes.size()];
            axes = new String[shape.length];
            for (int i = 0; i < shape.length; i++) {
                shape[i] = sizes.get(i) instanceof Long ? Json.integer(sizes.get(i)) : -1;
                axes[i] = shape[i] < 0 ? (String) sizes.get(i) : null;
            }
        }

        private static Spec[] all(Object value) {
            List<Object> list = Json.list(value);
            Spec[] specs = new Spec[list.size()];
            for (int i = 0; i < specs.length; i++) {
                specs[i] = new Spec(Json.object(list.get(i)));
            }
            return specs;
        }
    }

    /** One graph: its name, its file beside model.json, its inputs and outputs. */
    public static final class Part {
        public final String name;
        public final String file;
        public final Spec[] inputs;
        public final Spec[] outputs;

        Part(Map<String, Object> facts) {
            name = (String) facts.get("name");
            file = (String) facts.get("file");
            inputs = Spec.all(facts.get("inputs"));
            outputs = Spec.all(facts.get("outputs"));
        }
    }

    public final String model;
    public final String family;
    public final String precision;
    /** Part to how far it may be from the fp32 reference, relative, root mean square. */
    public final Map<String, Object> limits;
    /** What the model answers to its golden input. */
    public final String answer;
    public final Part[] parts;
    public final Map<String, Object> facts;
    /** The tokens of those that read or write texts, from vocabulary.bin; empty where there are none. */
    final byte[] vocabulary;

    /** Throws IllegalArgumentException, ClassCastException or NullPointerException for another text. */
    public Description(String json, byte[] vocabulary) {
        Map<String, Object> document = Json.object(Json.parse(json));
        model = (String) document.get("model");
        family = (String) document.get("family");
        precision = (String) document.get("precision");
        limits = Json.object(document.get("limits"));
        answer = (String) document.get("answer");
        List<Object> list = Json.list(document.get("parts"));
        parts = new Part[list.size()];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = new Part(Json.object(list.get(i)));
        }
        facts = Json.object(document.get("facts"));
        this.vocabulary = vocabulary;
    }

    public Part part(String name) {
        for (Part part : parts) {
            if (part.name.equals(name)) {
                return part;
            }
        }
        throw new IllegalArgumentException("the bundle has no part " + name);
    }
}
