package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.List;

/** What the network hears in the buffer of a stream. Constants and rules are those of models/whisper/loop/stream.py. */
final class WhisperReading {
    /** The encoder's window in seconds; a longer buffer has a window of its length. */
    private static final double WINDOW = 15.0;
    /** Tokens that a reading may have, at least and for each second of new sound: beyond them it loops. */
    private static final int LEAST = 12;

    private static final double PACE = 8.0;
    /** How far before the end of the last final word another may begin, in seconds. */
    private static final double BORDER = 0.1;

    private final WhisperRecognizer recognizer;
    private final WhisperOptions options;
    private final WhisperAgreement sound;
    /** The code of the language, as it was set or was detected last; null where there is a single one. */
    String language;

    WhisperReading(WhisperRecognizer recognizer, WhisperOptions options, WhisperAgreement sound) {
        this.recognizer = recognizer;
        this.options = options;
        this.sound = sound;
        language = options.language;
    }

    /**
     * The words of the buffer behind those that are final; their times from the begin of the stream. Where the network
     * loops, `pending` itself: what the reading before heard.
     */
    List<Transcript.Word> read(Runnable check) {
        float[] samples = sound.samples();
        if (WhisperSigns.silent(samples)) {
            return new ArrayList<>();
        }
        if (sound.settled.isEmpty()) {
            language = options.language; // of a few syllables it is a guess
        }
        List<Transcript.Word> held = sound.held();
        List<Integer> prefix = new ArrayList<>();
        for (Transcript.Word word : held) {
            prefix.addAll(word.tokens);
        }
        List<Transcript.Word> words = recognized(samples, prefix, check);
        if (words != null) {
            return words.subList(Math.min(held.size(), words.size()), words.size());
        }
        // It loops: read anew, and tell by their times which words are final already.
        words = held.isEmpty() ? null : recognized(samples, new ArrayList<Integer>(), check);
        if (words == null) {
            return sound.pending;
        }
        double border = held.get(held.size() - 1).end - BORDER;
        List<Transcript.Word> rest = new ArrayList<>();
        for (Transcript.Word word : words) {
            if (word.start > border) {
                rest.add(word);
            }
        }
        return rest;
    }

    /** All words of the buffer, which begin with `prefix`. Null: something speaks against them. */
    private List<Transcript.Word> recognized(float[] samples, List<Integer> prefix, Runnable check) {
        WhisperRun run = new WhisperRun(options, check);
        int count = sound.settled.size();
        double known = prefix.isEmpty() ? 0 : Math.max(sound.settled.get(count - 1).end - sound.begin(), 0);
        run.language = language;
        run.window = WINDOW;
        run.prefix = prefix;
        run.most = LEAST + (int) Math.rint(PACE * (sound.length() - known));
        try (WhisperRecognizer.Recognized recognized = recognizer.recognize(samples, run, false)) {
            language = run.language;
            if (recognized.silent() && prefix.isEmpty()) {
                return new ArrayList<>();
            }
            if (!recognized.doubt.isEmpty() && !recognized.doubt.equals("improbable")) {
                return null;
            }
            List<Integer> all = new ArrayList<>(prefix);
            all.addAll(recognized.result.tokens);
            List<Transcript.Word> words = new ArrayList<>();
            for (Transcript.Word word : recognized.words(all, samples, run)) {
                words.add(word.at(sound.begin() + word.start, sound.begin() + word.end));
            }
            return words;
        }
    }
}
