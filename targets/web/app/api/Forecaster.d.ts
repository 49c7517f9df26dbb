import { Model, type CallOptions } from "../core/types.js";

/** For each step a row of as many quantiles as there are levels. */
export interface Forecast { levels: number[]; quantiles: number[][]; median: number[] }

export class Forecaster extends Model {
    readonly horizon: number;
    readonly levels: number[];
    /** @param series a gap is NaN. */
    forecast(series: ArrayLike<number>, options?: CallOptions & { steps?: number }): Promise<Forecast>;
}
