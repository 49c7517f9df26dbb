package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/** Streams of speech: sound in chunks, and what was heard after each. */
final class StreamLoops {
    private StreamLoops() {}

    /**
     * @param given "audio"; "chunks": their sizes, in turn; "clock": seconds from one look to the next; "vad" 0:
     *     without the detector; "bad": before the chunk of this number one with NaN comes.
     * @param answer "heard": a line for each chunk that changed something, and for the end (-1): number, text, pending, notes.
     *     "final": a line for each word, as the chunks gave it. "words", "text", "language": of the whole sound.
     */
    static void answer(
            WhisperTranscriber transcriber, WhisperOptions options, Map<String, Tensor> given, Watch watch,
            Map<String, Tensor> answer) {
        double[] time = {0};
        double passes = given.containsKey("clock") ? given.get("clock").floats()[0] : 0;
        WhisperOptions chosen = given.containsKey("vad") ? options.vad(given.get("vad").longs()[0] != 0) : options;
        float[] audio = given.get("audio").floats();
        long[] sizes = given.get("chunks").longs();
        long bad = given.containsKey("bad") ? given.get("bad").longs()[0] : -1;
        StringBuilder heard = new StringBuilder(), words = new StringBuilder(), all = new StringBuilder();
        try (WhisperStream stream = transcriber.stream(chosen, () -> time[0] += passes)) {
            String pending = "";
            for (int at = 0, i = 0; at < audio.length; i++) {
                int count = (int) Math.min(sizes[i % sizes.length], audio.length - at);
                if (i == bad) {
                    answer.put("refused", text(refusal(() -> stream.feed(new float[] {0.1f, Float.NaN}, watch))));
                }
                WhisperStream.Heard now = stream.feed(Arrays.copyOfRange(audio, at, at + count), watch);
                at += count;
                if (!now.words.isEmpty() || !now.pending.equals(pending) || !now.notes.isEmpty()) {
                    heard.append(i + "\t" + now.text + "\t" + now.pending + "\t" + String.join(" ", now.notes) + "\n");
                }
                pending = now.pending;
                now.words.forEach(word -> words.append(line(word)));
            }
            Transcript whole = stream.end(watch);
            heard.append("-1\t" + stream.last().text + "\t" + stream.last().pending + "\t\n");
            stream.last().words.forEach(word -> words.append(line(word)));
            whole.words.forEach(word -> all.append(line(word)));
            answer.put("text", text(whole.text));
            answer.put("language", text(String.valueOf(whole.language)));
            answer.put("ended", text(refusal(() -> stream.feed(audio, watch)) + ", " + refusal(() -> stream.end(watch))));
        }
        answer.put("heard", text(heard.toString()));
        answer.put("final", text(words.toString()));
        answer.put("words", text(all.toString()));
    }

    private static String refusal(Runnable work) {
        try {
            work.run();
        } catch (IllegalArgumentException | IllegalStateException exception) {
            return exception.toString();
        }
        return "";
    }

    private static String line(Transcript.Word word) {
        return word.word + "\t" + word.start + "\t" + word.end + "\t" + word.probability + "\n";
    }

    private static Tensor text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Tensor.unsigned(bytes, bytes.length);
    }
}
