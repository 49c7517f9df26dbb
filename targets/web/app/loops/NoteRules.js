/** How notes follow from activations in 0 to 1. */
export class NoteRules {
    /**
     * @param {{onset: number, frame: number, shortest: number, tolerance: number}} rules the least activation of an onset, and
     *     with which a note goes on; frames that a note must exceed, and frames below `frame` after which it has ended.
     */
    constructor({ onset, frame, shortest, tolerance }) {
        if (!(onset >= 0 && onset <= 1 && frame >= 0 && frame <= 1 && shortest >= 0 && tolerance >= 0)) {
            throw new RangeError("activations are from 0 to 1, and frames from 0 on");
        }
        Object.assign(this, { onset: Math.fround(onset), frame: Math.fround(frame), shortest, tolerance });
    }
}
