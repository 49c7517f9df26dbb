import { Numbers } from "./Numbers.js";
import { Samples } from "./Samples.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

const RATE = 16000;
/** A clip shorter than this (seconds) or more silent than this (root mean square) holds no voice. */
const SHORTEST = 0.25, QUIETEST = 1e-4;

/** From a clip at 16 kHz to an embedding of its speaker, of length 1. */
export class SpeakerEmbedder extends TaskLoop {
    /** A cosine of at least this means the same speaker. */
    threshold = this.facts.operating_point?.threshold ?? this.facts.threshold.value;

    async answer(golden, watch) {
        return `a voice as ${(await this.embed(golden.audio.data, watch)).length} numbers`;
    }

    /** The embedding of a clip, which is at least a quarter of a second long and not silent. */
    async embed(clip, watch = () => {}) {
        const loudness = SpeakerEmbedder.#loudness(clip);
        const embeddings = await (this.facts.stretch ? this.#stretches(clip, loudness, watch) : this.#windows(clip, watch));
        const mean = new Float64Array(embeddings[0].length);
        for (const embedding of embeddings) {
            embedding.forEach((value, i) => (mean[i] += value / embeddings.length));
        }
        const length = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0));
        if (!(length > 0)) {
            throw new RangeError("the network finds no voice in this clip");
        }
        return Float32Array.from(mean, (value) => value / length);
    }

    static #loudness(clip) {
        if (clip.length < SHORTEST * RATE) {
            throw new RangeError(`a voice takes at least ${SHORTEST} s of sound`);
        }
        Samples.check(clip, "audio");
        let power = 0;
        for (let i = 0; i < clip.length; i++) {
            power += clip[i] * clip[i];
        }
        const loudness = Math.sqrt(power / clip.length);
        if (loudness < QUIETEST) {
            throw new RangeError("the clip is silent: there is no voice in it");
        }
        return loudness;
    }

    /** Windows that cover the clip, evenly spaced, as few as possible; a short clip is repeated. */
    async #windows(clip, watch) {
        const { least, most } = this.facts.window, embeddings = [], last = Math.max(0, clip.length - most);
        const count = Math.max(1, Math.ceil(clip.length / most));
        for (let i = 0; i < count; i++) {
            watch(i, count);
            const held = Samples.window(clip, count > 1 ? Numbers.rint((i * last) / (count - 1)) : 0, most);
            const window = new Float32Array(Math.max(least, held.length));
            for (let at = 0; at < window.length; at += held.length) {
                window.set(held.subarray(0, window.length - at), at);
            }
            embeddings.push(...(await this.#run(window, 1)));
        }
        return embeddings;
    }

    /** Stretches that overlap, as Resemblyzer takes them; what the last stretch lacks is zeros. */
    async #stretches(clip, loudness, watch) {
        const { frames, step, hop, coverage, batch } = this.facts.stretch, count = Math.ceil((clip.length + 1) / hop);
        const size = this.spec("frontend").shape.at(-1), around = Math.trunc((size - (frames - 1) * hop) / 2);
        const starts = [0], embeddings = [];
        while (starts.at(-1) + step < count - frames + step + 1) {
            starts.push(starts.at(-1) + step);
        }
        if (starts.length > 1 && (clip.length - starts.at(-1) * hop) / (frames * hop) < coverage) {
            starts.pop();
        }
        for (let at = 0; at < starts.length; at += batch) {
            watch(at, starts.length);
            const chosen = starts.slice(at, at + batch), block = new Float32Array(chosen.length * size);
            for (const [row, start] of chosen.entries()) {
                // Half a frame's samples around it belong to a stretch; before and behind the clip there are zeros.
                const first = start * hop - around, before = Math.max(0, -first);
                block.set(Samples.window(clip, Math.max(0, first), size - before), row * size + before);
            }
            const level = { loudness: Tensors.of(Float32Array.of(loudness), [1]) };
            embeddings.push(...(await this.#run(block, chosen.length, level)));
        }
        return embeddings;
    }

    async #run(audio, rows, loudness = {}) {
        const feeds = { audio: Tensors.of(audio, [rows, audio.length / rows]), ...loudness };
        const { features, ...others } = await this.parts.frontend.run(feeds);
        try {
            const { data } = await this.take("network", { features }, "embedding"), size = data.length / rows;
            return Array.from({ length: rows }, (_, row) => data.subarray(row * size, (row + 1) * size));
        } finally {
            Tensors.disposeAll({ features, ...others });
        }
    }
}
