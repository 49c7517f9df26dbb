import { LinePicture } from "./LinePicture.js";
import { Numbers } from "./Numbers.js";
import { PlacedPicture } from "./PlacedPicture.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";
import { TextLine } from "./TextLine.js";
import { TextRegions } from "./TextRegions.js";

/** Into which a picture is cut for the self-test. */
const STRIPS = 4;

/** A picture to its text: detect lines, cut them out, turn them, read them, put them in order. */
export class PictureText extends TaskLoop {
    /** The lines of a picture from above, and of those that stand side by side from the left. */
    async read(rgb, high, wide, watch = () => {}) {
        const { side, least, lines: rule } = this.facts, [picture, chances] = await this.#detect(rgb, high, wide);
        const found = TextRegions.lines(chances, side, rule), lines = [];
        for (const [place, corners] of found.entries()) {
            watch(place, found.length);
            // A pixel of the map stands for its middle.
            const placed = corners.map((corner) => picture.back(corner.map((value) => (value + 0.5) / side)));
            const line = await this.#line(new LinePicture(rgb, high, wide), placed);
            lines.push(...(line.text.trim() && line.score >= least ? [line] : []));
        }
        return TextLine.order(lines);
    }

    /** What stands in four strips of the picture, for where a line is cut moves with the last digits. */
    async answer({ pixels: { data: rgb, shape: [high, wide] } }, watch = () => {}) {
        const texts = [];
        await this.#detect(rgb, high, wide);
        for (let i = 0; i < STRIPS; i++) {
            watch(i, STRIPS);
            const top = (high * i) / STRIPS, bottom = (high * (i + 1)) / STRIPS;
            const strip = [[0, top], [wide, top], [wide, bottom], [0, bottom]];
            texts.push((await this.#line(new LinePicture(rgb, high, wide), strip)).text);
        }
        return texts.join("\n");
    }

    /** The picture in the detector's input, and its map. */
    async #detect(rgb, high, wide) {
        const { side } = this.facts, picture = new PlacedPicture(rgb, high, wide, { letterbox: true }, side, side);
        return [picture, await this.#run("detector", "pixels", picture.pixels, side, side, "chances")];
    }

    async #run(part, input, pixels, high, wide, output) {
        return (await this.take(part, { [input]: Tensors.of(pixels, [1, high, wide, 3]) }, output)).data;
    }

    async #line(picture, corners) {
        const { height, width, turn_width: turnWidth, turned } = this.facts, text = [], sure = [];
        let line = picture.cut(corners), first = line.width >= line.height ? 0 : 1;
        const whole = line.pieces(height, Infinity)[0].fill(turnWidth);
        if ((await this.#run("turn", "line", whole, height, turnWidth, "probabilities"))[1] > turned) {
            line = line.turn(true);
            first += 2;
        }
        for (const piece of line.pieces(height, width)) {
            this.#read(await this.#run("recogniser", "line", piece.fill(width), height, width, "logits"), text, sure);
        }
        const score = sure.reduce((sum, odd) => sum + odd, 0) / Math.max(1, sure.length);
        return new TextLine(text.join(""), score, corners.map((_, i) => corners[(i + first) % 4]));
    }

    /** Adds the best class of each step, of equal ones in a row the first, without blanks (class 0). */
    #read(logits, text, sure) {
        const { characters } = this.facts, classes = characters.length + 1;
        for (let at = 0, before = 0, best; at < logits.length; at += classes, before = best) {
            best = Numbers.argmax(logits, at, at + classes);
            if (best !== 0 && best !== before) {
                let sum = 0;
                for (let i = at; i < at + classes; i++) {
                    sum += Math.exp(logits[i] - logits[at + best]);
                }
                text.push(characters[best - 1]);
                sure.push(1 / sum);
            }
        }
    }
}
