import { NoteRoll } from "./NoteRoll.js";
import { NoteRules } from "./NoteRules.js";
import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** Seconds of a sound at most: every second takes 60 kB. */
const LONGEST = 1200;

/** The notes of a sound, of any instruments. */
export class PlayedNotes extends TaskLoop {
    /** Samples in a second. */
    rate = this.facts.sample_rate;

    /** The bundle's rules; an app may have others. */
    rules() {
        return new NoteRules(this.facts.rules);
    }

    async answer(golden, watch) {
        return PlayedNotes.text(await this.transcribe(golden.audio.data, this.rules(), watch));
    }

    /**
     * The notes {start, end, pitch, velocity} of a sound in order of their starts: in seconds; as MIDI counts, where 60 is the
     * middle C; 1 to 127.
     */
    async transcribe(sound, chosen = this.rules(), watch = () => {}) {
        const { window, overlap, frame, frames_per_second: perSecond } = this.facts, { rate } = this;
        const rules = new NoteRules(chosen), size = sound.length;
        if (size > LONGEST * rate) {
            throw new RangeError(`the sound is longer than ${LONGEST} seconds`);
        }
        const half = Math.trunc(overlap / 2), before = half * frame, count = Math.trunc((size * perSecond) / rate);
        let notes, onsets, keys, at = 0;
        for (let start = -before; start < size || at === 0; start += window - 2 * before) {
            watch(Math.max(0, start) / rate, size / rate);
            const samples = new Float32Array(window);
            samples.set(Samples.window(sound, Math.max(0, start), window + Math.min(0, start)), Math.max(0, -start));
            const made = await this.parts.network.run({ audio: Tensors.of(samples, [1, window, 1]) });
            try {
                const inner = made.note.shape[1] - 2 * half, first = Math.min(at, count);
                const kept = Math.min(inner, count - first);
                keys = made.note.shape[2];
                [notes, onsets] = [notes ?? new Float32Array(count * keys), onsets ?? new Float32Array(count * keys)];
                for (const [all, output] of [[notes, made.note], [onsets, made.onset]]) {
                    all.set((await Tensors.read(output)).subarray(half * keys, (half + kept) * keys), first * keys);
                }
                at += inner;
            } finally {
                Tensors.disposeAll(made);
            }
        }
        const found = NoteRoll.notes(notes, onsets, keys, rules).map((note) => this.#describe(note));
        return found.sort((a, b) => a.start - b.start || a.pitch - b.pitch);
    }

    #describe({ start, end, key, strength }) {
        const { frame, drift, lowest } = this.facts, velocity = Math.max(1, Numbers.rint(127 * strength));
        // A window's frames last a little less than they count.
        const seconds = (at) => Math.max(0, (at * frame) / this.rate - Math.trunc(at / drift.frames) * drift.seconds);
        return { start: seconds(start), end: seconds(end), pitch: key + lowest, velocity };
    }

    /** For people. */
    static text(notes) {
        const end = notes.reduce((latest, note) => Math.max(latest, note.end), 0);
        const count = notes.length > 1 ? `${notes.length} notes` : "1 note";
        return notes.length ? `${count} from ${Numbers.text(notes[0].start, 2)} to ${Numbers.text(end, 2)} s` : "no notes";
    }
}
