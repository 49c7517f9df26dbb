"""A weight matrix in a type of ggml, rounded by its inputs (`edgekit.quantization.weights.gptq`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.exporters.gguf.rounding.scales import fit_scales, steps
from edgekit.formats.gguf.blocks import BLOCKS, Block, Scales, pack
from edgekit.quantization.weights.gptq import Inverse, Places, descend_coordinates, inverse, run_gptq, shrink_hessian

#: Times that each weight is moved again after GPTQ; the second gains a fifth of the first.
_SWEEPS = 1


@dataclass(frozen=True)
class Rounded:
    """Rows in a type: places in its levels uint8 [N, K], and scales."""

    kind: str
    steps: NDArray[np.uint8]
    scales: Scales

    def weights(self) -> Floats:
        """Float32 [N, K], bit for bit as ggml dequantizes them."""
        block = BLOCKS[self.kind]
        scale, offset = (np.repeat(part, block.part, axis=1) for part in self.scales.spread())
        own: Floats = np.asarray(block.levels, np.float32)[self.steps] * scale + offset
        return own

    def bytes(self) -> NDArray[np.uint8]:
        """As the file has them, [N, bytes of a row]."""
        return pack(self.kind, self.steps, self.scales)


@dataclass(frozen=True)
class Curvature:
    """The Hessian of a matrix's inputs as its blocks on the diagonal, float32 [k, k] each, of K inputs together.

    Attributes:
        blocks: of the recorded inputs. rows: tokens that they are of; 0: the Hessian is known without an error.
    """

    blocks: tuple[Floats, ...]
    rows: int = 0

    @classmethod
    def of(cls, blocks: Sequence[Floats], rows: int = 0, *, looked_up: bool = False) -> Curvature:
        """Of blocks of a Hessian. `looked_up`: the rows of the matrix count by themselves, too, as much as the products
        with them: it is an embedding that is also the output's matrix.
        """
        if looked_up:
            blocks = [_shrunk(block, 0) for block in blocks]
        return cls(tuple(blocks), rows)

    @cached_property
    def shrunk(self) -> tuple[Floats, ...]:
        """The blocks, moved towards a multiple of the identity by what `rows` tokens do not show.

        Rounding follows the errors of a sample: with 12,288 tokens and blocks of 2,304 inputs, it loses two thirds
        more on another text than on the recorded one. So the mean eigenvalue times inputs / tokens is added to each
        eigenvalue (linear shrinkage, Ledoit & Wolf 2004, Journal of Multivariate Analysis 88). In trials on two
        language models, on text that was not recorded, half of it lost more, and double within 1 % of the same.
        """
        if not self.rows:
            return self.blocks
        return tuple(_shrunk(block, max(self.rows, len(block))) for block in self.blocks)

    @cached_property
    def inverses(self) -> tuple[Inverse | None, ...]:
        """What GPTQ needs of each shrunk block; None where nothing was seen."""
        return tuple(inverse(block[None].astype(np.float64)) for block in self.shrunk)

    @property
    def importance(self) -> Floats:
        """Mean squares of the inputs, [K]."""
        return np.concatenate([np.diag(block) for block in self.blocks])

    def losses(self, off: Floats) -> Floats:
        """Mean squared error of every output on the recorded inputs, for weights that are off by [K, N]."""
        return _losses(self.blocks, off)


def _shrunk(block: Floats, rows: int) -> Floats:
    own: Floats = shrink_hessian(block.astype(np.float64), rows, share=1.0).astype(np.float32)
    return own


def _losses(blocks: Sequence[Floats], off: Floats) -> Floats:
    total, start = np.zeros(off.shape[1], np.float32), 0
    for block in blocks:
        own = off[start : start + len(block)]
        total += (own * (block @ own)).sum(axis=0)
        start += len(block)
    return total


def nearest(kind: str, weights: Floats, curvature: Curvature) -> Rounded:
    """Weights [N, K] rounded to nearest, with scales by the importance of the inputs."""
    block, wide = BLOCKS[kind], np.ascontiguousarray(weights.T, np.float32)
    scales = fit_scales(block, wide, curvature.importance)
    scale, offset = (np.repeat(part, block.part, axis=1) for part in scales.spread())
    return Rounded(kind, steps(block, (weights - offset) / scale), scales)


def round_matrix(kind: str, weights: Floats, curvature: Curvature) -> Rounded:
    """Weights [N, K] by GPTQ and a sweep of coordinate descent; rows to nearest where that loses less.

    Raises:
        BadInput: weights that are not finite, or that the type cannot hold.
    """
    near, block = nearest(kind, weights, curvature), BLOCKS[kind]
    wide = np.ascontiguousarray(weights.T, np.float32)
    spread = [np.ascontiguousarray(np.repeat(part, block.part, axis=1).T) for part in near.scales.spread()]
    chosen, start = np.ascontiguousarray(near.steps.T), 0
    for hessian, prepared in zip(curvature.shrunk, curvature.inverses, strict=True):
        rows = slice(start, start + len(hessian))
        if prepared is not None:
            chosen[rows] = _by_inputs(block, wide[rows], (hessian, prepared), (spread[0][rows], spread[1][rows]))
        start = rows.stop
    made = Rounded(kind, chosen.T, near.scales)
    shrunk = curvature.shrunk
    better = _losses(shrunk, made.weights().T - wide) < _losses(shrunk, near.weights().T - wide)
    return Rounded(kind, np.where(better[:, None], made.steps, near.steps), near.scales)


def _by_inputs(
    block: Block, weights: Floats, inputs: tuple[Floats, Inverse], spread: tuple[Floats, Floats]
) -> NDArray[np.uint8]:
    """The steps of weights [K, N]."""
    (scale, offset), levels = spread, np.asarray(block.levels, np.float32)
    chosen = np.empty(weights.shape, np.uint8)

    def snap(at: Places, values: Floats) -> Floats:
        place = int(at[1][0])
        own = chosen[place] = steps(block, (values[0] - offset[place]) / scale[place])
        made: Floats = levels[own] * scale[place] + offset[place]
        return made[None]

    made = run_gptq(weights[None], inputs[1], snap)
    for _ in range(_SWEEPS):
        made = descend_coordinates(made, weights[None], inputs[0], snap)
    return chosen
