import { SpeechRules } from "./SpeechRules.js";

/** Seconds: of a window at most, and of a pause in one at most. */
const WINDOW = 29.5, PAUSE = 2;

/** Where a long sound is cut: in pauses. Looser than the detector's own rules: a lost word weighs more than a kept pause. */
export class WhisperCuts {
    static RULES = new SpeechRules({ shortest: 0.1, pause: 0.5, padding: 0.25, longest: 28 });

    /** The windows to transcribe: as many spans together as fit, unless a long pause parts them. */
    static pack(spans) {
        const windows = [];
        for (const { start, end } of spans) {
            const last = windows.at(-1), fits = last && end - last.start <= WINDOW && start - last.end <= PAUSE;
            windows.push({ start: fits ? windows.pop().start : start, end });
        }
        return windows;
    }
}
