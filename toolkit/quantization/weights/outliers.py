"""Outliers: the few channels of an input that would make the steps of all others wide, multiplied in float beside them.

A product is the sum over its channels, so it may be cut in two: most channels in int8, a few in float (LLM.int8(),
Dettmers et al. 2022, arXiv:2208.07339). Networks with a normalization in their residual stream have such channels: one
of 1,536 that feeds a layer of all-minilm-l6-v2 reaches 66 where the next reaches 15, and one weight is 437 times the
root mean square of all. There neither equalization nor a scale for each row helps enough.
"""

from __future__ import annotations

from edgekit.common.lazy import Floats, NDArray, np

#: One of so many channels may be multiplied in float because of its inputs, and as many because of its weights.
_ONE_OF = 128
#: Without them the step of the others must be at most this share of what it was: four more operators take their time.
_CLEARLY = 0.5


def find_outliers(largest: Floats, weights: Floats) -> NDArray[np.int64]:
    """The channels to multiply in float, in ascending order; none where that does not clearly make steps narrower.

    Args:
        largest: of the recorded inputs, by size, [K]. weights: [K, N], with a scale for each output.
    """
    count = len(largest) // _ONE_OF
    if not count:
        return np.zeros(0, np.int64)
    by_inputs = np.argsort(-largest, kind="stable")
    narrower = largest[by_inputs[count]] < _CLEARLY * largest[by_inputs[0]]
    sizes = np.abs(weights)
    by_weights = np.argsort(-sizes.max(axis=1), kind="stable")
    # Outputs' errors add up as squares, and each is as large as the step of that output's weights.
    rest = np.sum(sizes[by_weights[count:]].max(axis=0) ** 2)
    finer = rest < _CLEARLY**2 * np.sum(sizes.max(axis=0) ** 2)
    found = [by_inputs[:count]] * bool(narrower) + [by_weights[:count]] * bool(finer)
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.zeros(0, np.int64)
