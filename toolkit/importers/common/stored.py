"""Samples of an imported model in the cache: a .npz each, which calibrate and judge it, and are its golden input."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import edgekit
from edgekit.common.files import cache_folder, hash_file
from edgekit.common.lazy import Image, NDArray, np
from edgekit.core import Axis, Evidence, Sample, TensorSpec
from edgekit.errors import BadInput, boundary

_NOISE = "Noise shaped like the inputs: no real sample is known."


def folder_of(*key: str) -> Path:
    """The folder in the cache for an import with these texts as its key; it need not exist."""
    return cache_folder() / "imports" / hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]


def publish_folder(fresh: Path, place: Path) -> Path:
    """Move the whole folder `fresh` to `place` in one step; what another process has put there meanwhile stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    near = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        shutil.copytree(fresh, near / "whole")
        if place.exists():
            place.replace(near / "earlier")
        (near / "whole").replace(place)
    except OSError:
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(near, ignore_errors=True)
    return place


def keep(samples: Iterable[Mapping[str, NDArray[Any]]], folder: Path) -> None:
    """Write the samples into `folder`, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, sample in enumerate(samples):
        with (folder / f"{i:04}.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(sample))


def files(folder: Path) -> list[Path]:
    """The samples in `folder`, in their order."""
    return sorted(path for path in folder.iterdir() if path.suffix == ".npz") if folder.is_dir() else []


def pictures(folder: Path) -> list[Path]:
    """The samples in `folder`, of one input that is a picture's bytes (uint8 [1, height, width, 3]), as .png files."""
    place = folder.with_name(f"{folder.name}-pictures")
    if not place.is_dir():
        with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
            for file in files(folder):
                with np.load(file, allow_pickle=False) as sample:
                    (pixels,) = sample.values()
                Image.fromarray(pixels[0]).save(Path(scratch, f"{file.stem}.png"))
            publish_folder(Path(scratch), place)
    return sorted(place.glob("*.png"))


def evidence_of(samples: Sequence[Path], origin: str, *, synthetic: bool) -> Evidence:
    """Files of samples as evidence.

    Fewer than four are used for both halves; a verdict on them then proves as little as one on noise.
    """
    paths = [os.fspath(path) for path in samples]
    content = hashlib.sha256("".join(map(hash_file, samples)).encode()).hexdigest()[:8]
    few = len(paths) < 4
    return Evidence(
        name=f"{'noise' if synthetic else 'examples'} {content}",  # names decide whether a bundle is reused
        licence="CC0-1.0" if synthetic else "not stated",
        origin=_NOISE if synthetic else origin + (" They are few: the same calibrate and are judged." if few else ""),
        samples=lambda _: [Sample(path, name=Path(path).stem) for path in (paths * 2 if few else paths)],
        synthetic=synthetic or few,
    )


#: Half of them calibrate: static int8 takes at least 8 different ones.
SAMPLES = 16
#: Numbers of an input at most: a file of a few bytes may name any shape.
_MOST = 1 << 27


def keep_noise(
    key: tuple[str, ...], inputs: Sequence[TensorSpec], axes: Mapping[str, Axis], rows: Mapping[str, int]
) -> Path:
    """The folder of `SAMPLES` samples in the cache, made once for a key; see `noise`."""
    place = folder_of(edgekit.__version__, *key)
    if len(files(place)) != SAMPLES:
        with tempfile.TemporaryDirectory() as work, boundary():
            keep((noise(inputs, axes, rows, seed) for seed in range(SAMPLES)), Path(work) / "samples")
            publish_folder(Path(work) / "samples", place)
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
