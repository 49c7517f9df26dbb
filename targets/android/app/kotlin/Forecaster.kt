package edgekit.phone

import android.content.Context
import edgekit.phone.loops.SeriesForecast

/**
 * What comes next.
 *
 * @property levels of the quantiles, ascending, 0.5 (the median) among them.
 * @property quantiles for each step a row of as many numbers.
 */
public class Forecast internal constructor(public val levels: List<Double>, public val quantiles: List<List<Double>>) {
    /** The median of each step. */
    public val median: List<Double> get() = quantiles.map { it[levels.indexOf(0.5)] }
}

/** The past of a series to quantiles of its next steps. One call runs at a time; others wait. */
public class Forecaster private constructor(private val model: Model<SeriesForecast>) : AutoCloseable by model {
    private val loop = model.loop

    /** Steps of a forecast by default. */
    public val horizon: Int get() = loop.horizon

    /**
     * Quantiles of the next steps.
     *
     * @param series of which a gap is NaN; of a long one the end is used.
     * @param steps beyond [horizon] the medians are taken for observed; 1000 at most.
     * @throws IllegalArgumentException too few steps that are not gaps, or no sound number of steps.
     * @throws ModelException the runtime failed.
     */
    public suspend fun forecast(series: DoubleArray, steps: Int = horizon): Forecast = model.use { watch ->
        Forecast(loop.levels.toList(), loop.forecast(series, steps, watch).map { it.toList() })
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): Forecaster =
            Forecaster(Model.open(context, options, ::SeriesForecast))
    }
}
