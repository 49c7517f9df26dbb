package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** From the past of a series to quantiles of its next steps. */
public final class SeriesForecast implements TaskLoop {
    /** Least range of a series by which it is divided; steps of a forecast at most. */
    private static final double LEAST_RANGE = 1e-5;

    private static final int LONGEST = 1000;

    private final Graph network;
    private final Map<String, Object> periods;
    private final int context;
    private final int observed;
    private final int middle;
    /** Steps of a forecast by default: the network's own. */
    public final int horizon;
    /** Of the quantiles, ascending. */
    public final double[] levels;

    public SeriesForecast(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        network = parts.get("network");
        periods = Json.object(facts.get("periods"));
        context = Json.integer(facts.get("context"));
        horizon = Json.integer(facts.get("horizon"));
        observed = Json.integer(facts.get("observed"));
        List<Object> list = Json.list(facts.get("levels"));
        levels = new double[list.size()];
        for (int i = 0; i < levels.length; i++) {
            levels[i] = Json.number(list.get(i));
        }
        middle = Arrays.binarySearch(levels, 0.5);
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        float[] values = golden.get("numbers").floats();
        double[] series = new double[values.length];
        for (int i = 0; i < series.length; i++) {
            series[i] = values[i];
        }
        return text(forecast(series, horizon, watch));
    }

    /**
     * Quantiles of each of the next steps: rows of as many numbers as there are levels.
     *
     * @param series of which a gap is not a number (NaN or infinite); of a long one the end is used.
     * @param steps of the forecast: beyond the network's own the medians are taken for observed.
     * @throws IllegalArgumentException too few steps that are not gaps, or no sound number of steps.
     */
    public double[][] forecast(double[] series, int steps, Watch watch) {
        if (steps < 1 || steps > LONGEST) {
            throw new IllegalArgumentException("a forecast has from 1 to " + LONGEST + " steps, not " + steps);
        }
        double[] past = last(series);
        List<double[]> made = new ArrayList<>();
        while (made.size() < steps) {
            watch.at(made.size(), steps);
            double[] longer = Arrays.copyOf(past, past.length + horizon);
            for (double[] row : block(past)) {
                longer[past.length + made.size() % horizon] = row[middle];
                made.add(row);
            }
            past = last(longer);
        }
        return made.subList(0, steps).toArray(new double[0][]);
    }

    private double[] last(double[] series) {
        return Arrays.copyOfRange(series, Math.max(0, series.length - context), series.length);
    }

    /** The network's own steps. */
    private double[][] block(double[] past) {
        double low = Double.POSITIVE_INFINITY, high = Double.NEGATIVE_INFINITY;
        int known = 0;
        for (double value : past) {
            if (finite((float) value)) {
                known++;
                low = Math.min(low, (float) value);
                high = Math.max(high, (float) value);
            }
        }
        if (known < observed) {
            throw new IllegalArgumentException(
                    "the series has " + known + " steps that are not gaps; a forecast needs " + observed + " at least");
        }
        double span = Math.max(high - low, LEAST_RANGE);
        float[] values = new float[context];
        boolean[] mask = new boolean[context];
        for (int i = 0, at = context - past.length; i < past.length; i++, at++) {
            mask[at] = finite((float) past[i]);
            values[at] = mask[at] ? ((float) past[i] - (float) low) / (float) span : 0;
        }
        Map<String, Tensor> made = network.run(feeds(values, mask));
        try {
            float[] quantiles = made.get("quantiles").floats();
            double[][] rows = new double[horizon][levels.length];
            for (int i = 0; i < quantiles.length; i++) {
                rows[i / levels.length][i % levels.length] = quantiles[i] * span + low;
            }
            return rows;
        } finally {
            Tensor.closeAll(made);
        }
    }

    private Map<String, Tensor> feeds(float[] values, boolean[] mask) {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < context; i++) {
            sum += mask[i] ? values[i] : 0;
            count += mask[i] ? 1 : 0;
        }
        float[] whole = values.clone();
        for (int i = 0; i < context; i++) {
            whole[i] = mask[i] ? values[i] : (float) (sum / count);
        }
        int[] chosen = SeriesPeriods.of(whole, periods);
        int width = 2 + 2 * chosen.length;
        float[] features = new float[context * width];
        for (int i = 0; i < context; i++) {
            features[i * width] = values[i];
            features[i * width + 1] = mask[i] ? 1 : 0;
            SeriesPeriods.phases(i, chosen, features, i * width + 2);
        }
        Map<String, Tensor> feeds = new HashMap<>();
        feeds.put("features", Tensor.of(features, 1, context, width));
        float[] fill = SeriesPeriods.folded(values, mask, chosen[0], horizon, Json.integer(periods.get("bins")));
        feeds.put("fill", Tensor.of(fill, 1, horizon));
        return feeds;
    }

    private static boolean finite(float value) {
        return !Float.isNaN(value) && !Float.isInfinite(value);
    }

    /** For people. */
    public String text(double[][] made) {
        String first = Numbers.digits(made[0][middle], 5), end = Numbers.digits(made[made.length - 1][middle], 5);
        return made.length + " steps: the median goes from " + first + " to " + end;
    }
}
