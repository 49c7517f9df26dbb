import { Model } from "../core/client.js";
import { pixels } from "../core/picture.js";

/**
 * Pictures to the lines of text in them.
 * @example
 * const reader = await TextReader.load();
 * for (const { text, score } of await reader.read(file)) console.log(text, score);
 */
export class TextReader extends Model {
    async read(picture, options) {
        const { rgb, height, width, scale } = await pixels(picture);
        const lines = await this.call("read", [rgb, height, width], options);
        return lines.map((line) => ({ ...line, corners: line.corners.map(([x, y]) => [x / scale, y / scale]) }));
    }
}
