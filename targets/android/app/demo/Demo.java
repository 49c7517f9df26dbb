package edgekit.phone.runtime;

import edgekit.phone.loops.Json;
import edgekit.phone.loops.SelfTest;
import java.io.File;
import java.io.IOException;
import java.util.Map;

/** All that the demo app does but showing it: install, load, test, answer. */
final class Demo {
    private static final int THREADS = 2;

    private Demo() {}

    /**
     * Lines for people; the first starts with PASS or FAIL.
     *
     * @param library name or path of libonnxruntime.so.
     */
    static String run(Installed.Source source, File folder, final String library) {
        Model.Opener opener = new Model.Opener() {
            @Override
            public NativeGraph open(File file, edgekit.phone.loops.Description.Part part) {
                return new NativeGraph(library, file, part, THREADS);
            }
        };
        try (Model model = Model.open(source, folder, opener)) {
            return described(model, model.selfTest()) + note(source);
        } catch (IOException exception) {
            return "FAIL\n" + exception.getMessage();
        } catch (RuntimeException exception) {
            return "FAIL\n" + exception;
        }
    }

    /** What the package says of itself: whether the bundle was proven with another version of the runtime. */
    private static String note(Installed.Source source) throws IOException {
        return Json.object(Json.parse(Installed.text(source.open("packaged.json")))).get("note") + "\n";
    }

    private static String described(Model model, SelfTest.Result result) {
        StringBuilder lines = new StringBuilder(result.passed() ? "PASS\n" : "FAIL\n");
        lines.append(model.description().model).append(' ').append(model.description().precision);
        lines.append(", onnxruntime ").append(Native.version()).append('\n');
        for (Map.Entry<String, Double> part : result.errors.entrySet()) {
            double limit = result.limits.get(part.getKey());
            lines.append(String.format("%s: %.3g from fp32, at most %.3g\n", part.getKey(), part.getValue(), limit));
        }
        lines.append("answer: ").append(result.answer).append("\nexpected: ").append(result.expected).append('\n');
        return lines.toString();
    }
}
