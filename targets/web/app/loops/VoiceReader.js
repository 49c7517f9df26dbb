import { GaussianNoise } from "./GaussianNoise.js";
import { Numbers } from "./Numbers.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";
import { VoiceAlphabet } from "./VoiceAlphabet.js";
import { VoiceManner } from "./VoiceManner.js";
import { VoiceSound } from "./VoiceSound.js";
import { VoiceText } from "./VoiceText.js";

/** Most frames of a phoneme; frames that the self-test gives each id. */
const LONGEST = 400, PROBED = 2;
const { fround } = Math;

/** A voice: phonemes to their durations, to latent frames with noise of their own, to samples. */
export class VoiceReader extends TaskLoop {
    #alphabet = new VoiceAlphabet(this.facts.alphabet);
    /** The ids, and the frames, that the parts take at once; 0: any number. */
    #fixedIds = Tensors.axis(this.spec("encoder"), 1);
    #fixedFrames = Tensors.axis(this.spec("decoder"), 2);

    /** Samples in a second; and the voice of espeak-ng whose phonemes it knows, such as "en-us". */
    rate = this.facts.sample_rate;
    voice = this.facts.voice;

    /** The bundle's manner; an app may have others. */
    manner() {
        return new VoiceManner(this.facts.manner);
    }

    /** Reads a text: its words by the phonemizer (see VoiceText), and what stands in double brackets as phonemes. */
    async read(text, phonemizer, chosen = this.manner(), watch = () => {}) {
        const manner = new VoiceManner(chosen);
        return this.speak(await VoiceText.phonemes(text, phonemizer), manner, watch);
    }

    /** Reads phonemes in the International Phonetic Alphabet, with the marks of their sentences; gives a VoiceSound. */
    async speak(phonemes, chosen = this.manner(), watch = () => {}) {
        const manner = new VoiceManner(chosen), sentences = VoiceText.sentences(VoiceText.check(phonemes)), sounds = [];
        const ids = sentences.map((sentence) => this.#pieces(sentence));
        for (const [place, pieces] of ids.entries()) {
            sounds.push(new Float32Array(place > 0 ? Numbers.rint(this.facts.pause * this.rate) : 0));
            for (const piece of pieces) {
                watch(place, ids.length);
                const latents = VoiceReader.#latents(await this.#encode(piece, manner, place), manner, place);
                sounds.push(...(await this.#decode(latents, (share) => watch(place + share, ids.length))));
            }
        }
        return new VoiceSound(sounds, this.rate, sentences, this.#alphabet.unknown(sentences.join("")));
    }

    /**
     * Both parts, neither deciding the other's inputs: two frames of noise for every id go to the decoder. A vocoder's phases
     * follow from its input's last digits, so that samples of the whole chain tell nothing.
     */
    async answer(golden, watch = () => {}) {
        const [first] = VoiceText.sentences(await VoiceText.phonemes(new TextDecoder().decode(golden.text.data), null));
        const [ids] = this.#pieces(first), manner = this.manner(), noise = new GaussianNoise([manner.seed]);
        const { means } = await this.#encode(ids, manner, 0), drawn = means.map(() => new Float32Array(PROBED * ids.length));
        for (let frame = 0; frame < drawn[0].length; frame++) {
            for (const channel of drawn) {
                channel[frame] = noise.next();
            }
        }
        const sounds = await this.#decode(drawn, (share) => watch(share, 1));
        return VoiceSound.seconds(VoiceSound.join(sounds).length, this.rate);
    }

    #pieces(sentence) {
        return this.#alphabet.pieces(sentence, this.#fixedIds || this.facts.most);
    }

    /** What the encoder gives for ids: frames of each, and by channel the means and deviations. */
    async #encode(ids, manner, place) {
        const size = this.#fixedIds || ids.length, rhythm = fround(manner.rhythm);
        const random = new GaussianNoise([manner.seed, place]);
        const phonemes = new BigInt64Array(size), mask = new Float32Array(size).fill(1, 0, ids.length);
        const noise = new Float32Array(2 * size);
        for (let i = 0; i < ids.length; i++) {
            phonemes[i] = BigInt(ids[i]);
            noise[i] = rhythm * random.next();
            noise[size + i] = rhythm * random.next();
        }
        const feeds = { phonemes: Tensors.of(phonemes, [1, size]), mask: Tensors.of(mask, [1, size]) };
        const made = await this.parts.encoder.run({ ...feeds, noise: Tensors.of(noise, [1, 2, size]) });
        try {
            const durations = await Tensors.read(made.durations), means = await Tensors.read(made.means);
            const deviations = await Tensors.read(made.deviations);
            const rows = (all) => Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, (i + 1) * size));
            // No number is 0 frames.
            const whole = (size) => Math.max(0, Math.min(LONGEST, Math.ceil(fround(size / fround(manner.speed))))) || 0;
            const frames = ids.map((_, i) => whole(durations[i])), silent = frames.every((count) => count === 0);
            return { frames: silent ? ids.map(() => 1) : frames, means: rows(means), deviations: rows(deviations) };
        } finally {
            Tensors.disposeAll(made);
        }
    }

    /** By channel. Each id draws noise of its own: a duration that is rounded otherwise changes none of what follows. */
    static #latents({ frames, means, deviations }, manner, place) {
        const total = frames.reduce((sum, count) => sum + count, 0), latents = means.map(() => new Float32Array(total));
        let frame = 0;
        for (const [id, count] of frames.entries()) {
            const noise = new GaussianNoise([manner.seed, place, id]);
            for (const end = frame + count; frame < end; frame++) {
                for (let channel = 0; channel < latents.length; channel++) {
                    const spread = fround(fround(manner.noise) * deviations[channel][id]);
                    latents[channel][frame] = means[channel][id] + fround(spread * noise.next());
                }
            }
        }
        return latents;
    }

    /** The sounds of latent frames by channel, in windows that overlap as far as a sample looks. */
    async #decode(latents, watch) {
        const { hop, halo, window } = this.facts, total = latents[0].length, sounds = [];
        const size = this.#fixedFrames || Math.min(total, window);
        for (let begin = 0, end; begin < total; begin = end) {
            watch(begin / total);
            const start = Math.max(0, Math.min(begin - halo, total - size)), count = Math.min(size, total - start);
            end = start + size >= total ? total : start + size - halo;
            const held = new Float32Array(latents.length * size), mask = new Float32Array(size).fill(1, 0, count);
            latents.forEach((row, channel) => held.set(row.subarray(start, start + count), channel * size));
            const feeds = { latents: Tensors.of(held, [1, latents.length, size]), mask: Tensors.of(mask, [1, size]) };
            const { data } = await this.take("decoder", feeds, "audio");
            sounds.push(data.slice((begin - start) * hop, (end - start) * hop));
        }
        return sounds;
    }
}
