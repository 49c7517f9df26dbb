import { Numbers } from "./Numbers.js";
import { SeriesPeriods } from "./SeriesPeriods.js";
import { TaskLoop } from "./TaskLoop.js";
import { Tensors } from "./Tensors.js";

/** Least range of a series by which it is divided; steps of a forecast at most. */
const LEAST_RANGE = 1e-5, LONGEST = 1000;

/** From the past of a series to quantiles of its next steps. */
export class SeriesForecast extends TaskLoop {
    /** Of the quantiles, ascending; and steps of a forecast by default: the network's own. */
    levels = this.facts.levels;
    horizon = this.facts.horizon;

    async answer(golden, watch) {
        return this.text(await this.forecast(golden.numbers.data, this.horizon, watch));
    }

    /**
     * Quantiles of each of the next steps: rows of as many numbers as there are levels. A gap in the series is not a number
     * (NaN or infinite); of a long one the end is used. Beyond the network's own steps its medians are taken for observed.
     */
    async forecast(series, steps = this.horizon, watch = () => {}) {
        if (!(steps >= 1 && steps <= LONGEST)) {
            throw new RangeError(`a forecast has from 1 to ${LONGEST} steps, not ${steps}`);
        }
        const past = Array.from(series).slice(-this.facts.context), made = [], middle = this.levels.indexOf(0.5);
        while (made.length < steps) {
            watch(made.length, steps);
            const rows = await this.#block(Float32Array.from(past.slice(-this.facts.context)));
            made.push(...rows);
            past.push(...rows.map((row) => row[middle]));
        }
        return made.slice(0, steps);
    }

    /** The network's own steps. */
    async #block(past) {
        const { context, observed, horizon, levels } = this.facts, known = past.filter(Number.isFinite);
        if (known.length < observed) {
            const has = `the series has ${known.length} steps that are not gaps`;
            throw new RangeError(`${has}; a forecast needs ${observed} at least`);
        }
        const low = Math.min(...known), span = Math.max(Math.max(...known) - low, LEAST_RANGE), divisor = Math.fround(span);
        const mask = new Uint8Array(context), values = new Float32Array(context), before = context - past.length;
        for (let i = 0; i < past.length; i++) {
            mask[before + i] = Number.isFinite(past[i]) ? 1 : 0;
            values[before + i] = mask[before + i] ? Math.fround(past[i] - low) / divisor : 0;
        }
        const { data } = await this.take("network", this.#feeds(values, mask), "quantiles");
        const row = (_, step) => levels.map((_, i) => data[step * levels.length + i] * span + low);
        return Array.from({ length: horizon }, row);
    }

    #feeds(values, mask) {
        const { context, horizon, periods } = this.facts, known = values.filter((_, i) => mask[i]);
        const mean = Array.from(known).reduce((sum, value) => sum + value, 0) / known.length;
        const chosen = SeriesPeriods.of(values.map((value, i) => (mask[i] ? value : mean)), periods);
        const width = 2 + 2 * chosen.length, features = new Float32Array(context * width);
        for (let i = 0; i < context; i++) {
            features[i * width] = values[i];
            features[i * width + 1] = mask[i];
            SeriesPeriods.writePhases(i, chosen, features, i * width + 2);
        }
        const fill = SeriesPeriods.fold(values, mask, chosen[0], horizon, periods.bins);
        return { features: Tensors.of(features, [1, context, width]), fill: Tensors.of(fill, [1, horizon]) };
    }

    /** For people. */
    text(rows) {
        const [first, last] = [rows[0], rows.at(-1)].map((row) => Numbers.digits(row[this.levels.indexOf(0.5)], 5));
        return `${rows.length} steps: the median goes from ${first} to ${last}`;
    }
}
