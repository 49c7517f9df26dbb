"""Rotation of the residual stream: large channels are spread over all of them, and nothing is computed otherwise.

In a transformer with normalizations in front of its layers, everything is added to one stream, and read from it through
a normalization. An orthogonal matrix in the weights that write to the stream, and its transpose in those that read,
changes no output (Ashkboos et al. 2024: "SliceGPT", arXiv:2401.15024; "QuaRot", arXiv:2404.00456). But what the layers
read, and their weights, have no outliers any more, which cost a grid of integers its digits.

Those papers make LayerNorm a norm without a mean first. It is not needed: a rotation that leaves the vector of ones
where it is keeps the mean of every row, and so commutes with either norm.
"""

from __future__ import annotations

from edgekit.common.lazy import Doubles, Floats, np

#: Width of a stream that is rotated: the matrix is held, and made in its third power.
LARGEST = 4096


def rotation(width: int, seed: int = 0) -> Doubles:
    """A random orthogonal matrix, float64 [width, width], that leaves the vector of ones where it is."""
    drawn, upper = np.linalg.qr(np.random.default_rng(seed).standard_normal((width - 1, width - 1)))
    whole = np.eye(width)
    whole[1:, 1:] = drawn * np.sign(np.diag(upper))
    normal = np.full(width, -(width**-0.5))
    normal[0] += 1  # the mirror between the first axis and the vector of ones
    length = float(normal @ normal)
    mirror = np.eye(width) - (2 * np.outer(normal, normal) / length if length else 0)
    turned: Doubles = mirror @ whole @ mirror
    return turned


def writing(values: Floats, turn: Doubles) -> Floats:
    """What is added to the stream (weights [K, C], biases [C], tables [rows, C]), for the rotated stream."""
    return np.ascontiguousarray(values @ turn, np.float32)


def reading(weights: Floats, gain: Floats, shift: Floats, turn: Doubles) -> tuple[Floats, Floats]:
    """Weights [C, N] that read the rotated stream through a norm without gain [C] and shift [C], which they take over;
    and what they add to the bias [N]."""
    wide = weights.astype(np.float64)
    turned = turn.T @ (gain[:, None] * wide)
    return np.ascontiguousarray(turned, np.float32), (shift.astype(np.float64) @ wide).astype(np.float32)
