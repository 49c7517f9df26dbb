"""How near a bundle's parts are to the fp32 reference's, by cosines, on what real inputs make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundles.opened import makers
from edgekit.core import Bundle, Runner
from edgekit.numerics.parity import Recorder
from edgekit.tasks.resolved import predictor_of


def cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Of two tensors as vectors; -1 where one holds anything that is no number, which must never count as near."""
    a, b = (value.astype(np.float64).reshape(-1) for value in (one, other))
    if one.shape != other.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return -1.0
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else float(a.size == 0 or np.array_equal(a, b))


def cosines(
    bundle: Bundle, references: Mapping[str, Runner], inputs: Sequence[Any], most: int = 4, threads: int = 1
) -> dict[str, dict[str, list[float]]]:
    """Part -> output -> cosines with the reference's, one for each of at most `most` calls that an input leads to.

    Each part is given what the reference's part was given: an error of the encoder is not one of the decoder.

    Args:
        references: every part in fp32 (`_references.references`). inputs: what the pipeline takes.
    """
    model, _, runtime = makers(bundle)
    recorders = {name: Recorder(runner) for name, runner in references.items()}
    pipeline = predictor_of(model, recorders, bundle.path, bundle.manifest.facts)
    runners = {part.name: runtime.load(bundle.path / part.file, threads) for part in bundle.manifest.parts}
    found: dict[str, dict[str, list[float]]] = {name: {} for name in runners}
    for one in inputs:
        pipeline.predict(one)
        for name, recorder in recorders.items():
            last = len(recorder.calls) - 1
            chosen = [recorder.calls[i * last // (most - 1)] for i in range(most)] if last >= most else recorder.calls
            for feeds, truth in chosen:
                for output, value in runners[name](feeds).items():
                    found[name].setdefault(output, []).append(cosine(value, truth[output]))
            recorder.calls.clear()
    return found
