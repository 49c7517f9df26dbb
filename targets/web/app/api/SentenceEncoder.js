import { Model } from "../core/client.js";

/**
 * Sentences to vectors: similar sentences have similar directions.
 * @example
 * const encoder = await SentenceEncoder.load();
 * const [cat, feline] = [await encoder.embed("A cat sits on the mat."), await encoder.embed("A feline rests on a rug.")];
 * console.log(encoder.similarity(cat, feline));
 */
export class SentenceEncoder extends Model {
    async embed(text, options) {
        return this.call("embed", [text], options);
    }

    similarity(one, other) {
        return one.reduce((sum, value, i) => sum + value * other[i], 0);
    }
}
