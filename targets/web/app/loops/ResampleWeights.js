/** Of every new pixel in a row: the first old pixel that counts, and the shares from it on, as Pillow has them. */
export class ResampleWeights {
    /** The stretch [from, to) of a row of `size` pixels becomes `newSize` ones; filter: "bilinear" or "bicubic". */
    constructor(size, from, to, newSize, filter) {
        [this.first, this.of] = [new Int32Array(newSize), []];
        const scale = Math.fround(to - from) / newSize, stretch = Math.max(scale, 1), shrink = 1 / stretch;
        const support = (filter === "bicubic" ? 2 : 1) * stretch, weight = ResampleWeights[filter];
        for (let i = 0; i < newSize; i++) {
            const center = from + (i + 0.5) * scale, first = Math.max(0, Math.trunc(center - support + 0.5));
            const weights = new Float64Array(Math.min(size, Math.trunc(center + support + 0.5)) - first);
            let sum = 0;
            for (let x = 0; x < weights.length; x++) {
                weights[x] = weight(Math.abs((x + first - center + 0.5) * shrink));
                sum += weights[x];
            }
            this.first[i] = first;
            this.of.push(sum === 0 ? weights : weights.map((one) => one / sum));
        }
    }

    static bilinear(x) {
        return x < 1 ? 1 - x : 0;
    }

    static bicubic(x) {
        const a = -0.5, far = x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
        return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : far;
    }
}
