"""Inputs for networks of no task: noise, the same at every call; a verdict on it is "undecided" at best."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.files import cache_folder
from edgekit.common.lazy import NDArray, np
from edgekit.core import Evidence, Sample, TensorSpec
from edgekit.importers.hub.plan import Plan

#: Samples of a set: half of them calibrate.
_COUNT = 32


def golden(plan: Plan, words: int) -> Path:
    """The first sample as a file in the cache."""
    from edgekit.common.files import write_whole

    place = (
        cache_folder() / "imports" / f"{hashlib.sha256(msgspec.json.encode((plan.parts, words))).hexdigest()[:32]}.npz"
    )
    if not place.is_file():
        import io

        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **arrays(plan, words, 0))
        write_whole(place, stream.getvalue())
    return place


def evidence(plan: Plan, words: int) -> Evidence:
    """Noise of the plan's inputs."""
    return Evidence(
        "noise", "CC0-1.0", "noise, made by edgekit", functools.partial(_samples, plan, words), synthetic=True
    )


def _samples(plan: Plan, words: int, folder: Path) -> Sequence[Sample]:
    return [Sample(arrays(plan, words, at), None, f"noise-{at}") for at in range(_COUNT)]


def arrays(plan: Plan, words: int, seed: int) -> Mapping[str, NDArray[Any]]:
    """Name -> array of every input that no earlier part makes: normal values, or words below `words`; a mask is ones.

    A dynamic axis has the size of its example.
    """
    random = np.random.default_rng([seed, 17])
    made = {spec.name for part in plan.parts for spec in part.outputs}
    values: dict[str, NDArray[Any]] = {}
    for part in plan.parts:
        for spec in part.inputs:
            if spec.name in made or spec.name in values:
                continue
            values[spec.name] = _noise(
                spec, [part.axes[a].example if isinstance(a, str) else a for a in spec.shape], words, random
            )
    return values


def _noise(spec: TensorSpec, shape: Sequence[int], words: int, random: Any) -> NDArray[Any]:
    if spec.dtype.startswith("float"):
        smooth = random.standard_normal(shape)
        return np.asarray(smooth, np.dtype(spec.dtype))
    if "mask" in spec.name:
        return np.ones(shape, np.dtype(spec.dtype))
    return np.asarray(random.integers(0, max(2, words), shape), np.dtype(spec.dtype))
