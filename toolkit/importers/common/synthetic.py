"""Synthetic inputs, where no real ones are known: noise, which proves little and is said to be noise."""

from __future__ import annotations

import math
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import edgekit
from edgekit.common.lazy import NDArray, np
from edgekit.core import Axis, TensorSpec
from edgekit.errors import BadInput, boundary
from edgekit.importers.common import stored

#: Half of them calibrate: static int8 takes at least 8 different ones.
SAMPLES = 16
#: Numbers of an input at most: a file of a few bytes may name any shape.
_MOST = 1 << 27


def keep_noise(
    key: tuple[str, ...], inputs: Sequence[TensorSpec], axes: Mapping[str, Axis], rows: Mapping[str, int]
) -> Path:
    """The folder of `SAMPLES` samples in the cache, made once for a key; see `noise`."""
    place = stored.folder_of(edgekit.__version__, *key)
    if len(stored.files(place)) != SAMPLES:
        with tempfile.TemporaryDirectory() as work, boundary():
            stored.keep((noise(inputs, axes, rows, seed) for seed in range(SAMPLES)), Path(work) / "samples")
            stored.publish_folder(Path(work) / "samples", place)
    return place


def noise(
    inputs: Sequence[TensorSpec], axes: Mapping[str, Axis], rows: Mapping[str, int], seed: int
) -> dict[str, NDArray[Any]]:
    """A sample: the same for the same seed.

    Args:
        axes: their examples are the sizes. rows: inputs that look up a table -> the number of its rows (0: none); other
            whole numbers are 0 or 1.

    Raises:
        BadInput: an input is too large.
    """
    sample = {}
    for spec in inputs:
        random = np.random.default_rng([seed, zlib.crc32(spec.name.encode())])
        shape = [axis if isinstance(axis, int) else axes[axis].example for axis in spec.shape]
        if math.prod(shape) > _MOST:
            raise BadInput(f"the input {spec.name!r} has {math.prod(shape)} numbers; at most {_MOST} are tried.")
        if spec.dtype.startswith("float"):
            sample[spec.name] = random.standard_normal(shape).astype(spec.dtype)
        else:
            sample[spec.name] = random.integers(0, rows.get(spec.name) or 2, shape).astype(spec.dtype)
    return sample
