import { failure, need } from "./failure.js";
import { own } from "./own.js";

/** A larger picture is reduced: phones have no larger canvas. */
const MOST = 16_000_000;

/**
 * RGB pixels of a picture, upright, without transparency.
 * @param picture ImageData, ImageBitmap, an element (img, canvas, video), or a Blob, File or address of an image file.
 * @returns {Promise<{rgb: Uint8Array, height: number, width: number, scale: number}>} scale: what it was reduced by.
 */
export async function pixels(picture) {
    const { data, width, height, scale = 1 } = picture instanceof ImageData ? picture : await drawOnCanvas(picture);
    const rgb = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
        rgb[to] = data[from];
        rgb[to + 1] = data[from + 1];
        rgb[to + 2] = data[from + 2];
    }
    return { rgb: own(rgb), height, width, scale };
}

async function drawOnCanvas(picture) {
    const fetched = typeof picture === "string" || picture instanceof URL ? await (await fetch(picture)).blob() : picture;
    need("OffscreenCanvas");
    const image = await createImageBitmap(fetched).catch((error) => {
        throw failure("BadInput", `this is no picture that the browser can decode: ${error.message}`);
    });
    const scale = Math.min(1, Math.sqrt(MOST / (image.width * image.height)));
    const width = Math.max(1, Math.round(image.width * scale)), height = Math.max(1, Math.round(image.height * scale));
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    image.close();
    return { data: context.getImageData(0, 0, width, height).data, width, height, scale };
}
