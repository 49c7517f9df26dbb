"""Noise that pictures are made of: drawn from a seed, or read from .npz files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Floats, np
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.tensors.arrays import read

#: The array in a file: float32 [pictures, channels, height, width].
NAME = "noise"
_LARGEST_SEED = 2**32


def samples(folder: Path) -> Sequence[Sample]:
    """Every .npz file of a folder, with an array ``noise``, without a truth.

    Raises:
        BadInput: no such file.
    """
    return plain_samples(folder.glob("*.npz"), folder, "no .npz file")


def sample_noise(seed: int, shape: Sequence[int]) -> Floats:
    """Numbers of a normal distribution, the same for the same seed (numpy's PCG64)."""
    noise: Floats = np.random.default_rng(seed).standard_normal(tuple(shape), dtype=np.float32)
    return noise


def noise_of(sample: Any, shape: Sequence[int], count: int) -> Floats:
    """The noise of a sample, float32 [pictures, *shape].

    Args:
        sample: a seed, a whole number of 0 to 2**32 - 1 or its digits, of which `count` pictures are drawn; or a .npz
            with an array ``noise``, or that array.

    Raises:
        BadInput: it is none of these, has another shape, or holds a number that is not finite.
    """
    if isinstance(sample, str) and re.fullmatch(r"[0-9]{1,10}", sample):
        sample = int(sample)
    if isinstance(sample, int) and not isinstance(sample, bool):
        if not 0 <= sample < _LARGEST_SEED:
            raise BadInput(f"a seed is a number of 0 to {_LARGEST_SEED - 1}, not {sample}.")
        return sample_noise(sample, (count, *shape))
    if isinstance(sample, (str, Path)):
        sample = _of_file(Path(sample))
    try:
        noise = np.asarray(sample, np.float32)
    except (TypeError, ValueError) as exc:
        raise BadInput(f"this is no noise: {exc}.") from exc
    if noise.ndim != len(shape) + 1 or noise.shape[1:] != tuple(shape) or not len(noise):
        raise BadInput(f"noise is of the shape {['pictures', *shape]}, and this is {list(noise.shape)}.")
    if not np.isfinite(noise).all():
        raise BadInput("the noise holds a number that is not finite.")
    return noise


def _of_file(file: Path) -> Any:
    if file.suffix != ".npz":
        raise BadInput(f"{file.name!r} is neither a seed nor a .npz file.", hint="A seed is a number, such as 7.")
    arrays = read(file)
    if NAME not in arrays:
        raise BadInput(f"{file.name} holds no array {NAME!r}.", hint=f"There is: {', '.join(arrays) or 'nothing'}.")
    return arrays[NAME]
