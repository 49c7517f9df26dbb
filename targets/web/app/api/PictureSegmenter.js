import { Model } from "../core/client.js";
import { pixels } from "../core/picture.js";

/**
 * Pictures to areas: a class for every pixel, at most 2048 a side.
 * @example
 * const segmenter = await PictureSegmenter.load();
 * const { labels, shares } = await segmenter.segment(file);
 * console.log(labels[0], shares[0]);
 */
export class PictureSegmenter extends Model {
    async segment(picture, options) {
        const { rgb, height, width } = await pixels(picture);
        return this.call("segment", [rgb, height, width], options);
    }
}
