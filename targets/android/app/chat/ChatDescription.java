package edgekit.phone.loops;

import java.util.List;
import java.util.Map;

/** What a bundle says of its language model: chat.json. The chat template is there as the texts between messages. */
public final class ChatDescription {
    public final String model;
    /** The .gguf beside it. */
    public final String file;
    /** Which weights, and which version of the library, compute; what is kept on disk belongs to this pair. */
    public final String identity;
    /** Tokens of prompt and answer together. */
    public final int context;
    /** Whether keys and values have 8 bits. */
    public final boolean small;
    /** Bytes that the model takes with that context, the mapped weights included. */
    public final long memory;
    /** The golden prompt, and how the model was proven to go on with it. */
    public final String prompt;

    public final String answer;
    private final Map<String, Object> between;
    private final Map<String, Object> grammars;

    /** Throws IllegalArgumentException, ClassCastException or NullPointerException for another text. */
    public ChatDescription(String json) {
        Map<String, Object> facts = Json.object(Json.parse(json));
        Map<String, Object> golden = Json.object(facts.get("golden"));
        model = (String) facts.get("model");
        file = (String) facts.get("file");
        identity = (String) facts.get("identity");
        context = Json.integer(facts.get("context"));
        small = facts.get("cache").equals("q8_0");
        memory = (Long) facts.get("memory");
        prompt = (String) golden.get("prompt");
        answer = (String) golden.get("answer");
        between = Json.object(facts.get("template"));
        grammars = Json.object(facts.get("grammars"));
    }

    /**
     * The grammar of a schema that the package was made with; "" for the name "".
     *
     * @throws IllegalArgumentException there is no such schema.
     */
    String grammar(String schema) {
        if (schema.isEmpty()) {
            return "";
        }
        if (!grammars.containsKey(schema)) {
            throw new IllegalArgumentException("there is no schema " + schema + ", but " + grammars.keySet());
        }
        return (String) grammars.get(schema);
    }

    /** The prompt for an answer to the last of `turns`: question, answer, question, ... `system`: "" for none. */
    String prompt(String system, List<String> turns) {
        StringBuilder text = new StringBuilder();
        if (system.isEmpty()) {
            text.append(said("start"));
        } else {
            text.append(said("system")).append(content(system)).append(said("question"));
        }
        for (int i = 0; i < turns.size(); i++) {
            boolean last = i == turns.size() - 1;
            text.append(content(turns.get(i)));
            text.append(said(last ? "answer" : i % 2 == 0 ? "reply" : "next"));
        }
        return text.toString();
    }

    /** Whether the texts between messages begin with the token that begins a text. */
    boolean begins() {
        return (Boolean) between.get("begins");
    }

    private String said(String name) {
        return (String) between.get(name);
    }

    private String content(String text) {
        return (Boolean) between.get("trim") ? trimmed(text) : text;
    }

    private static String trimmed(String text) {
        int begin = 0;
        int end = text.length();
        while (begin < end && Character.isWhitespace(text.charAt(begin))) {
            begin++;
        }
        while (end > begin && Character.isWhitespace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(begin, end);
    }
}
