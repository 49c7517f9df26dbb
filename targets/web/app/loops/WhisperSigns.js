const RATIO = 2.4;
/** A sound that never exceeds this amplitude (-70 dB of full scale) is silence. */
const SILENCE = 10 ** (-70 / 20);

/** Signs that a sound is silent, and that a decoded window is wrong. */
export class WhisperSigns {
    static silent(samples) {
        return samples.every((value) => Math.abs(value) < SILENCE);
    }

    /** Whether text compresses so well that it must repeat itself. */
    static async repetitive(text) {
        const bytes = new TextEncoder().encode(text);
        const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
        return bytes.length / (await new Response(packed).arrayBuffer()).byteLength > RATIO;
    }

    /**
     * Whether a result ends by saying the same twice, the typical failure of a window that is too short. People do repeat
     * themselves, so this sends a window back to the encoder but never to sampling.
     */
    static echoes(tokens) {
        for (let n = 3; 2 * n <= tokens.length; n++) {
            if (tokens.slice(-n).every((token, i) => token === tokens[tokens.length - 2 * n + i])) return true;
        }
        return false;
    }
}
