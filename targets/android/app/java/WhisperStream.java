package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * Speech to text while somebody speaks: mono sound at 16 kHz in pieces of any size. A buffer of the last seconds is
 * transcribed again and again, each time beginning with its final words (WhisperAgreement tells which those are).
 *
 * Constants and rules are those of models/whisper/loop/stream.py, which has the evidence for them (docs/speech.md); Swift
 * has the same. It is not thread-safe. After a feed that was cancelled there is nothing left to do but to close it.
 */
public final class WhisperStream implements AutoCloseable {
    private static final int RATE = WhisperRecognizer.RATE;
    /** Seconds of new sound that a reading waits for; on a slow device this share of its own time, if that is more. */
    private static final double STEP = 0.4;

    private static final double PATIENCE = 1.1;
    /** Seconds of silence that end an utterance. */
    private static final double PAUSE = 0.7;

    static final DoubleSupplier CLOCK = new DoubleSupplier() {
        @Override
        public double getAsDouble() {
            return System.nanoTime() / 1e9;
        }
    };

    /** What a chunk changed. */
    public static final class Heard {
        /** Words that are final since the last chunk; they never change. */
        public final String text;
        /** The same with their times, in seconds from the begin of the stream. */
        public final List<Transcript.Word> words;
        /** What may come next, as far as it is known; it may change. */
        public final String pending;
        /** What the listener should know: a device that is too slow. */
        public final List<String> notes;

        Heard(List<Transcript.Word> words, List<Transcript.Word> pending, List<String> notes) {
            text = joined(words);
            this.words = Collections.unmodifiableList(told(words));
            this.pending = joined(pending);
            this.notes = Collections.unmodifiableList(notes);
        }
    }

    private final WhisperOptions options;
    private final DoubleSupplier clock;
    /** Null: everything may be speech. */
    private final SpeechListener listener;

    private final WhisperAgreement sound = new WhisperAgreement();
    private final WhisperReading reading;
    /** End of the last frame with speech since the buffer was cut, in samples; -1: there is none. */
    private long spoken = -1;
    /** End of the last frame that the detector judged. */
    private long heardUntil;
    /** Samples that no reading has seen. */
    private int fresh;

    private double step = STEP;
    private Heard last;

    /** @param listener closed with this; null: there is no detector of speech. clock: seconds from any moment on. */
    WhisperStream(WhisperRecognizer recognizer, WhisperOptions options, SpeechListener listener, DoubleSupplier clock) {
        reading = new WhisperReading(recognizer, options, sound);
        this.options = options;
        this.listener = listener;
        this.clock = clock;
    }

    /**
     * Takes the next samples, of any number, and tells what is new. Returns at once while there are few.
     *
     * @param watch told between calls of the network how many seconds of the stream came so far.
     * @throws IllegalArgumentException values that are not numbers; the stream goes on without that chunk.
     * @throws IllegalStateException the stream has ended.
     */
    public Heard feed(float[] chunk, Watch watch) {
        check();
        // Throws for values that are not numbers, before anything is kept.
        Samples.of(chunk).window(0, chunk.length);
        Runnable check = check(watch);
        List<Transcript.Word> words = new ArrayList<>();
        List<String> notes = new ArrayList<>();
        // A chunk of minutes is taken in pieces, each of which is new sound for a reading.
        for (int from = 0; from < chunk.length; from += 2 * RATE) {
            int to = Math.min(from + 2 * RATE, chunk.length);
            sound.append(chunk, from, to);
            fresh += to - from;
            listen(Arrays.copyOfRange(chunk, from, to), check);
            if (listener != null && spoken < 0) {
                forget();
            } else if (listener != null && heardUntil - spoken > PAUSE * RATE) {
                words.addAll(transcribe(notes, true, check));
                forget();
            } else if (fresh >= step * RATE || sound.full()) {
                words.addAll(transcribe(notes, false, check));
            }
        }
        return new Heard(words, sound.pending, notes);
    }

    /**
     * The answer to the whole sound, with the times of its words; the stream takes no more.
     *
     * @throws IllegalStateException it has ended already.
     */
    public Transcript end(Watch watch) {
        check();
        List<Transcript.Word> words = new ArrayList<>();
        if ((fresh > 0 || !sound.pending.isEmpty()) && (listener == null || spoken >= 0)) {
            Runnable check = check(watch);
            words.addAll(sound.accept(reading.read(check), true));
        }
        last = new Heard(words, sound.pending, new ArrayList<String>());
        close();
        WhisperRun whole = new WhisperRun(options, null);
        whole.language = reading.language;
        whole.words.addAll(told(sound.settled));
        return new Transcript(joined(sound.settled), whole);
    }

    /** What became final by the end alone, as if it were one more chunk; null before the end. */
    public Heard last() {
        return last;
    }

    /** Gives memory back to the runtime. A second call does nothing. */
    @Override
    public void close() {
        if (listener != null) {
            listener.close();
        }
    }

    private void check() {
        if (last != null) {
            throw new IllegalStateException("the stream has ended; begin another");
        }
    }

    private Runnable check(final Watch watch) {
        return new Runnable() {
            @Override
            public void run() {
                watch.at(sound.end(), sound.end());
            }
        };
    }

    /** Asks the detector about new samples. */
    private void listen(float[] piece, Runnable check) {
        if (listener == null) {
            return;
        }
        for (double probability : listener.push(piece, check)) {
            heardUntil += listener.hop;
            if (probability >= WhisperCuts.RULES.threshold) {
                spoken = heardUntil;
            }
        }
    }

    /** Drops what nobody speaks in, but for the last moment: a word may have begun. */
    private void forget() {
        sound.forget();
        spoken = -1;
        fresh = 0;
    }

    /** Reads the buffer; the words that became final, or all of them, if it is settled that no more come. */
    private List<Transcript.Word> transcribe(List<String> notes, boolean settled, Runnable check) {
        double began = clock.getAsDouble(), unread = fresh / (double) RATE;
        boolean full = sound.full();
        fresh = 0;
        List<Transcript.Word> accepted = sound.accept(reading.read(check), settled);
        double took = clock.getAsDouble() - began;
        // A device that needs longer than the sound lasts works on longer pieces; none of the sound is dropped.
        step = Math.max(STEP, PATIENCE * took);
        if (took > (full ? 1 : 2) * Math.max(unread, STEP)) {
            notes.add("this device took " + Numbers.text(took, 1, false) + " s for " + Numbers.text(unread, 1, false)
                    + " s of new sound: the text comes late");
        }
        return accepted;
    }

    /** Words as callers get them. */
    private static List<Transcript.Word> told(List<Transcript.Word> words) {
        List<Transcript.Word> told = new ArrayList<>();
        for (Transcript.Word word : words) {
            told.add(word.told(0));
        }
        return told;
    }

    private static String joined(List<Transcript.Word> words) {
        StringBuilder text = new StringBuilder();
        for (Transcript.Word word : words) {
            text.append(word.word);
        }
        return WhisperTokens.stripped(text.toString());
    }
}
