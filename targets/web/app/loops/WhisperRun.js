/** What accumulates over the windows of one sound. */
export class WhisperRun {
    /** Tokens that a window's text begins with, whatever the network says; they are not in its answer. */
    prefix = [];
    /** Tokens of an answer at most, beside what anybody can speak in its sound. */
    most = Infinity;
    /** Seconds that the encoder gets at least, and nothing is tried again; 0: by the length of the sound, with fallbacks. */
    window = 0;
    /** Where the window begins, in samples. */
    at = 0;
    /** Speech goes on to the end of windows: of stretches of speech, and of what was read again with times. */
    ended = false;
    text = []; segments = []; words = []; windows = []; fallbacks = []; skipped = 0;

    /** @param {() => void} check runs between two runs of the network; throws to end the loop. */
    constructor(options, check) {
        [this.options, this.check] = [options, check];
        /** Null until it is detected, and for a model of a single language. */
        this.language = options.language ?? null;
    }
}
