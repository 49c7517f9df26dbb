package edgekit.phone.loops;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.CancellationException;

/** The conversation of the Gradle module on this machine's JVM: a line of JSON in, a line of fields with tabs out. */
public final class ChatPeer {
    private static final Base64.Encoder ENCODER = Base64.getEncoder();

    private ChatPeer() {}

    /** Arguments: folder of the assets, threads, system prompt, folder for what is computed of it ("": none). */
    public static void main(String[] arguments) throws Exception {
        byte[] text = Files.readAllBytes(Paths.get(arguments[0], "chat.json"));
        ChatDescription description = new ChatDescription(new String(text, StandardCharsets.UTF_8));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String path = Paths.get(arguments[0], description.file).toString();
        int threads = Integer.parseInt(arguments[1]);
        try (NativeLanguage language = new NativeLanguage(path, description.context, description.small, threads)) {
            language.keep(arguments[3], description.identity);
            ChatLoop loop = new ChatLoop(language, description, arguments[2]);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                say(answered(language, loop, description, Json.object(Json.parse(line))));
            }
        } catch (IllegalStateException | IllegalArgumentException exception) {
            say("error", exception.getMessage());
        }
    }

    private static String[] answered(
            Language language, ChatLoop loop, ChatDescription description, Map<String, Object> asked) {
        try {
            return answer(language, loop, description, asked);
        } catch (CancellationException exception) {
            return new String[] {"cancelled"};
        } catch (IllegalArgumentException | IllegalStateException exception) {
            return new String[] {"error", exception.getMessage()};
        }
    }

    private static String[] answer(
            Language language, ChatLoop loop, ChatDescription description, Map<String, Object> asked) {
        String what = (String) asked.get("do");
        if (what.equals("clear")) {
            loop.clear();
            return new String[] {"cleared"};
        }
        if (what.equals("memory")) {
            ChatLoop.checkMemory(description, (Long) asked.get("free"));
            return new String[] {"enough"};
        }
        if (what.equals("sample")) {
            language.sampling(1, 40, 1, 0, 3);
            return new String[] {"sampled"};
        }
        if (what.equals("test")) {
            ChatLoop.Report report = loop.selfTest((done, total) -> {});
            return new String[] {report.passed() ? "passed" : "failed", report.toString()};
        }
        long stopAfter = asked.containsKey("cancel") ? (Long) asked.get("cancel") : Long.MAX_VALUE;
        boolean inside = asked.containsKey("inside");
        StringBuilder pieces = new StringBuilder();
        Watch watch = (done, total) -> {
            if (done >= stopAfter && inside) {
                language.stop(true); // as from another thread: what is computed next ends by itself
            } else if (done >= stopAfter) {
                throw new CancellationException();
            }
        };
        String schema = (String) asked.getOrDefault("schema", "");
        ChatLoop.Answer made = loop.ask(
                new ChatLoop.Question(
                        (String) asked.get("text"), Json.integer(asked.get("most")), schema, asked.containsKey("look_up")),
                watch,
                pieces::append);
        int[] counts = {made.promptTokens, made.tokens, made.leftOut, made.computed, made.passes};
        String said = Arrays.toString(counts);
        return new String[] {made.finish, made.text, pieces.toString(), said};
    }

    private static void say(String... fields) {
        StringBuilder line = new StringBuilder();
        for (String field : Arrays.asList(fields)) {
            line.append(ENCODER.encodeToString(String.valueOf(field).getBytes(StandardCharsets.UTF_8))).append('\t');
        }
        System.out.println(line);
    }
}
