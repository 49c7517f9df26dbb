"""Fracast as shapes, without torch: what the module is built of and what it costs."""

from __future__ import annotations

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

#: Steps that the network sees and foretells; quantiles of each.
CONTEXT, HORIZON, LEVELS = 2048, 48, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Channels; those inside of a gated product.
WIDTH, INNER = 64, 96
#: Periods of the phases; parts of a period; channels of a step from outside: value, observed, phases.
PERIODS, BINS = 4, 16
FEATURES = 2 + 2 * PERIODS
#: Channels of the distance from now; the last steps of the context that the future sees; dilations of either side.
RECENCY, SEED = 5, 128
STAGES, FUTURE_STAGES = 10, 6


def fracast_work() -> tuple[Work, ...]:
    """Work of a call. The weights of a block count once, whatever the number of its dilations."""

    def block(steps: int, times: int) -> list[Layer]:
        return [
            convolution(WIDTH, WIDTH, 3, times * steps, groups=WIDTH, before=steps),
            Layer(WIDTH * WIDTH, WIDTH, times * steps, 2 * WIDTH * steps),
            Layer(WIDTH * 2 * INNER, 2 * INNER, times * steps, (WIDTH + 2 * INNER) * steps),
            Layer(INNER * WIDTH, WIDTH, times * steps, (INNER + WIDTH) * steps),
        ]

    layers = [linear(2 + RECENCY, WIDTH, CONTEXT), linear(2 * PERIODS, WIDTH, CONTEXT), *block(CONTEXT, STAGES)]
    layers += [linear(8, 2 * WIDTH), linear(2 * WIDTH + RECENCY, WIDTH, HORIZON)]
    layers += [linear(WIDTH, 2 * INNER, HORIZON), linear(INNER, WIDTH, HORIZON)]
    layers += [convolution(WIDTH, WIDTH, 3, HORIZON, groups=WIDTH)] * 2
    layers += [linear(1 + RECENCY, WIDTH, HORIZON), *block(SEED + HORIZON, FUTURE_STAGES)]
    layers += [linear(WIDTH, WIDTH, HORIZON), linear(WIDTH, len(LEVELS), HORIZON)]
    return (work("network", "attention", layers, tables=WIDTH * (HORIZON + 8) + RECENCY * CONTEXT),)
