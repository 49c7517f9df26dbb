import { Numbers } from "./Numbers.js";

/** Largest sample of a sound: voices differ in level. */
const PEAK = 0.95;

/** A text that was read. */
export class VoiceSound {
    /**
     * Scales the sound so that its loudest sample is the peak; what is no number becomes silence.
     * @param {Float32Array[]} sounds mono, one after the other.
     * @param {number} rate samples in a second.
     * @param {string[]} sentences the phonemes of each.
     * @param {string[]} unknown phonemes that the voice does not know, which were left out.
     */
    constructor(sounds, rate, sentences, unknown) {
        const samples = VoiceSound.join(sounds).map((value) => (Number.isFinite(value) ? value : 0));
        const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const scale = loudest > 1e-6 ? Math.fround(PEAK / loudest) : 1;
        Object.assign(this, { samples: samples.map((value) => value * scale), rate, sentences, unknown });
    }

    static join(sounds) {
        const all = new Float32Array(sounds.reduce((size, sound) => size + sound.length, 0));
        let at = 0;
        for (const sound of sounds) {
            all.set(sound, at);
            at += sound.length;
        }
        return all;
    }

    /** For people: such as "3.21 s of speech, 2 sentences". */
    static text({ samples, rate, sentences }) {
        const count = sentences.length === 1 ? "1 sentence" : `${sentences.length} sentences`;
        return `${VoiceSound.seconds(samples.length, rate)}, ${count}`;
    }

    static seconds(samples, rate) {
        return `${Numbers.text(samples / rate, 2)} s of speech`;
    }
}
