"""Samples that are arrays by name: read from .npz files, and compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.arrays import read_arrays
from edgekit.common.files import need_file
from edgekit.common.lazy import NDArray, np
from edgekit.core import Objection, Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import need_files

#: Values of an output (None: it is absent or has another shape), and the reference's.
_Pair: TypeAlias = "tuple[NDArray[Any] | None, NDArray[Any]]"

#: Values of an output that are compared.
_KEPT = 2048
#: The least R² that passes: the error is at most half of the variation.
_KEPT_OF_VARIATION = 0.75
#: Outputs that vary by less, of their largest value, may do so by weights or samples that are drawn at random.
_LITTLE = 0.01
#: The name of the right answer in a file of a data folder.
TRUTH = "truth"


def samples(folder: Path) -> Sequence[Sample]:
    """Every .npz file of a folder: inputs by name, and the right answer: the array ``truth``, or ``truth_OUTPUT`` of
    each output, which then is a mapping by their names.

    Raises:
        BadInput: no such file, or one that cannot be read.
    """
    return [_sample(file) for file in need_files(folder.glob("*.npz"), folder, "no .npz file")]


def _sample(file: Path) -> Sample:
    arrays = dict(read(file))
    for name, array in arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise BadInput(f"{file}: {name!r} holds values that are not numbers (NaN).", hint="Take the file out.")
    named = {name.removeprefix(f"{TRUTH}_"): arrays.pop(name) for name in [*arrays] if name.startswith(f"{TRUTH}_")}
    return Sample(arrays, arrays.pop(TRUTH, None) if TRUTH in arrays else named or None, file.name)


def read(file: Path) -> Mapping[str, NDArray[Any]]:
    """Name -> array of a .npz file, without pickles.

    Raises:
        BadInput: no such file, damaged, larger than 1 GiB, or with arrays of Python objects.
    """
    need_file(file, ".npz file")
    return read_arrays(file, file.name)


def sample_outputs(outputs: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Name -> shape and at most 2,048 evenly spaced values of each output, JSON-able."""
    kept = {}
    for name, array in outputs.items():
        flat = np.asarray(array).reshape(-1)
        values = flat[:: max(1, -(-flat.size // _KEPT))].astype(np.float64)
        kept[name] = {"shape": list(array.shape), "values": [float(f"{value:.6g}") for value in values]}
    return kept


def cosines(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """The least cosine of an output with the reference's, for each sample; -1 where shapes differ or a value is not
    finite."""
    least = []
    for pairs in _pairs(answers, reference):
        worst = 1.0
        for mine, wanted in pairs:
            if mine is None or not (np.isfinite(mine).all() and np.isfinite(wanted).all()):
                worst = -1.0
                continue
            norms = float(np.linalg.norm(mine) * np.linalg.norm(wanted))
            # Two outputs that are all zero are the same; a single one has no direction.
            worst = min(worst, float(mine @ wanted) / norms if norms else float(np.array_equal(mine, wanted)))
        least.append(worst)
    return least


def errors(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """The largest relative error of an output (`edgekit.numerics.parity.relative_error`), for each sample."""
    from edgekit.numerics.parity import relative_error

    return [
        max(relative_error([{} if mine is None else {"": mine}], [{"": wanted}]) for mine, wanted in pairs)
        for pairs in _pairs(answers, reference)
    ]


def determination(answers: Sequence[Any], reference: Sequence[Any]) -> float:
    """The least coefficient of determination (R²) of an output over all samples: 1 less the squared error, of the
    squared distance from the mean over samples. At 0 the mean would answer as well, whatever level it lies at, which
    neither a cosine nor a relative error tells. 1.0 where no output varies.
    """
    return min((kept for kept, _ in _r_squared_and_spread(answers, reference)), default=1.0)


def objection(answers: Sequence[Any], reference: Sequence[Any]) -> Objection | None:
    """An error that is larger than half of what an output varies over the samples. Where it hardly varies, weights or
    samples may be drawn at random, and the verdict is "undecided"."""
    lost = [one for one in _r_squared_and_spread(answers, reference) if one[0] < _KEPT_OF_VARIATION]
    if not lost:
        return None
    # An output that varies decides, whatever another does that hardly varies.
    least, varied = min([one for one in lost if one[1] >= _LITTLE] or lost)
    why = f"the error is {math.sqrt(1 - least):.2g} times what fp32's answers vary over the samples"
    if varied >= _LITTLE:
        return "fail", f"{why} (R² {least:.3g}, at least {_KEPT_OF_VARIATION:g} required)"
    return "undecided", f"{why}, {varied:.2g} of their size: --calibration DIR takes samples that differ more"


def _r_squared_and_spread(answers: Sequence[Any], reference: Sequence[Any]) -> Iterator[tuple[float, float]]:
    """R² of every output that varies, and its standard deviation over samples, of its largest value.

    Whole numbers such as indices have none, and neither has what is not finite: `cosines` tells it.
    """
    for mine, wanted in _outputs(answers, reference):
        if len(mine) < 2 or not np.isfinite([mine, wanted]).all() or np.array_equal(wanted, np.round(wanted)):
            continue
        varied = float(np.square(wanted - wanted.mean(axis=0)).mean())
        if varied:
            yield 1.0 - float(np.square(mine - wanted).mean()) / varied, math.sqrt(varied) / float(np.abs(wanted).max())


def _outputs(answers: Sequence[Any], reference: Sequence[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Of every output that all samples have in one shape: all values [samples, values], and the reference's."""
    for name in reference[0] if reference else ():
        sides = [[sample.get(name) for sample in side] for side in (answers, reference)]
        shapes = {tuple(one["shape"]) if one else None for side in sides for one in side}
        if len(shapes) == 1 and None not in shapes:
            mine, wanted = (np.array([one["values"] for one in side]) for side in sides)
            yield mine, wanted


def _pairs(answers: Sequence[Any], reference: Sequence[Any]) -> Iterator[list[_Pair]]:
    """For each sample, every output's values and the reference's."""
    for answer, wanted in zip(answers, reference, strict=True):
        pairs: list[_Pair] = []
        for name, kept in wanted.items():
            mine = answer.get(name)
            same = mine is not None and mine["shape"] == kept["shape"]
            pairs.append((np.array(mine["values"]) if same else None, np.array(kept["values"])))
        yield pairs
