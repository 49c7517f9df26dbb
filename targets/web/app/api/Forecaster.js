import { Model } from "../core/client.js";

/**
 * The past of a series to quantiles of its next steps.
 * @example
 * const forecaster = await Forecaster.load();
 * console.log((await forecaster.forecast([112, 118, 132, 129, 121, 135])).median); // a gap is NaN
 */
export class Forecaster extends Model {
    static properties = ["horizon", "levels"];

    async forecast(series, { steps = this.horizon, ...options } = {}) {
        const quantiles = await this.call("forecast", [Float64Array.from(series), steps], options);
        const middle = this.levels.indexOf(0.5);
        return { levels: this.levels, quantiles, median: quantiles.map((row) => row[middle]) };
    }
}
