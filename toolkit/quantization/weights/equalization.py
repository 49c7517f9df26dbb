"""Equalization: large channels of an input are divided, and the weights that meet them multiplied, by the same factors.

The product is the same. But where one scale serves a whole input, a few large channels cost all others their digits;
weights, which have a scale an output, bear more (Xiao et al. 2022, "SmoothQuant", arXiv:2211.10438). Where it does
not help it harms: so it is done only where the error of the product itself, on recorded inputs, becomes clearly less.
"""

from __future__ import annotations

from edgekit.common.lazy import Floats, np

#: How much of the unlikeness of the channels goes to the weights, as exponents.
_SHARES = (0.5, 0.7)
#: The error must become less than this share of what it was, as every division takes its time.
_CLEARLY = 0.6


def equalizing_factors(inputs: Floats, weights: Floats) -> Floats | None:
    """By what to divide the channels of an input, and to multiply the rows of its weights; None: better by nothing.

    Args:
        inputs: recorded, [rows, K]. weights: of all products of that input side by side, [K, N].
    """
    largest, heaviest = (np.maximum(np.abs(of).max(axis=at), 1e-6) for of, at in ((inputs, 0), (weights, 1)))
    best, least = None, _CLEARLY * _error(inputs, weights)
    for share in _SHARES:
        tried = largest**share / heaviest ** (1 - share)
        tried = (tried / np.exp(np.log(tried).mean())).astype(np.float32)
        error = _error(inputs / tried, weights * tried[:, None])
        if error < least:
            best, least = tried, error
    return best


def _error(inputs: Floats, weights: Floats) -> float:
    """Relative error of the product in int8: one scale for all inputs, one for each output's weights.

    Every row counts the same: what follows a product mostly normalizes, so a few long rows are no more than the others.
    """
    truth = inputs @ weights
    least, most = min(float(inputs.min()), 0.0), max(float(inputs.max()), 0.0)
    step = (most - least) / 255 or 1.0
    scales = np.maximum(np.abs(weights).max(axis=0) / 127, 1e-30)
    made = (np.rint(inputs / step) * step) @ (np.rint(weights / scales) * scales)
    lengths = np.maximum(np.linalg.norm(truth, axis=1), 1e-30)
    return float(np.sqrt(np.mean((np.linalg.norm(made - truth, axis=1) / lengths) ** 2)))
