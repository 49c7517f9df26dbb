/** Frames over which a rise of a note's activation counts as an onset. */
const RISE = 2;

/**
 * From activations of notes and of their onsets to notes (Bittner et al. 2022, arXiv:2203.09893, section 2.3). Each note is
 * taken away with its neighbours a semitone beside.
 */
export class NoteRoll {
    constructor(frames, keys, rules) {
        Object.assign(this, { frames, keys, rules, left: frames.slice(), count: frames.length / keys, notes: [] });
    }

    /**
     * Notes {start, end, key, strength}, in frames, `end` the first behind it: first those that begin with an onset (the
     * latest first), then those in what is left.
     */
    static notes(frames, onsets, keys, rules) {
        const roll = new NoteRoll(frames, keys, rules), starts = NoteRoll.#addRises(frames, onsets, keys);
        for (let at = frames.length - keys - 1; at >= keys; at--) {
            if (starts[at] > starts[at - keys] && starts[at] > starts[at + keys] && starts[at] >= rules.onset) {
                roll.#followOnset(Math.trunc(at / keys), at % keys);
            }
        }
        roll.#followLoudest();
        return roll.notes;
    }

    /** The larger of onsets and rises of the activation of notes, these scaled to the same maximum. */
    static #addRises(frames, onsets, keys) {
        const rises = new Float32Array(frames.length);
        let most = 0, highest = 0;
        for (let at = 0; at < frames.length; at++) {
            let rise = at < RISE * keys ? 0 : Infinity;
            for (let n = 1; n <= RISE && at >= RISE * keys; n++) {
                rise = Math.min(rise, frames[at] - frames[at - n * keys]);
            }
            rises[at] = Math.max(0, rise);
            most = Math.max(most, rises[at]);
            highest = Math.max(highest, onsets[at]);
        }
        for (let at = 0; at < frames.length; at++) {
            rises[at] = most > 0 ? Math.max(onsets[at], Math.fround(highest * rises[at]) / most) : onsets[at];
        }
        return rises;
    }

    /** The note that begins here, until its activation has been low for a while, unless it is too short. */
    #followOnset(start, key) {
        const { left, keys, rules } = this, last = this.count - 1;
        let low = 0, end = start + 1;
        for (let at = start + 1; at < last; at++) {
            low = left[at * keys + key] < rules.frame ? low + 1 : 0;
            end = at + 1 - low;
            if (low >= rules.tolerance) {
                break;
            }
        }
        if (start < last && this.#add(start, end, key)) {
            this.#take(start, end, key);
        }
    }

    /** The notes around the largest activations, as long as these can be a note's. */
    #followLoudest() {
        const before = this.left.slice(), places = [];
        for (let at = 0; at < before.length; at++) {
            if (before[at] > this.rules.frame) {
                places.push(at);
            }
        }
        for (const at of places.sort((a, b) => before[b] - before[a])) {
            if (this.left[at] !== 0) {
                const key = at % this.keys, middle = (at - key) / this.keys;
                this.left[at] = 0; // what was looked at is taken away, also where a note is too short
                const end = this.#walk(middle + 1, 1, key) - 1, start = this.#walk(middle - 1, -1, key) + 1;
                this.#add(start, end, key);
            }
        }
    }

    /** The first frame that was not looked at, without the low ones before it; those looked at are taken away. */
    #walk(from, step, key) {
        let low = 0, at = from;
        while (at > 0 && at < this.count - 1 && low < this.rules.tolerance) {
            low = this.left[at * this.keys + key] < this.rules.frame ? low + 1 : 0;
            this.#take(at, at + 1, key);
            at += step;
        }
        return at - step * low;
    }

    #take(start, end, key) {
        for (let at = start; at < end; at++) {
            this.left.fill(0, at * this.keys + Math.max(0, key - 1), at * this.keys + Math.min(this.keys, key + 2));
        }
    }

    /** Adds a note, unless it is too short. */
    #add(start, end, key) {
        let sum = 0;
        for (let at = start; at < end; at++) {
            sum += this.frames[at * this.keys + key];
        }
        const long = end - start > this.rules.shortest;
        this.notes.push(...(long ? [{ start, end, key, strength: Math.fround(sum / (end - start)) }] : []));
        return long;
    }
}
