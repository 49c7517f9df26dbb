"""The pipeline of arrays: parts in their order, each fed by the sample and by the parts before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Prediction, Predictor, Runner, TensorSpec
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.tensors.arrays import read

#: Values of an output that are shown.
_SHOWN = 5


class Chain(Predictor):
    """Arrays by name, through every part.

    `predict` takes the option ``out``: a .npz file that the outputs are written to.
    """

    def __init__(self, parts: Mapping[str, Runner]) -> None:
        self._parts = list(parts.values())

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The outputs of the last part, and of those before it that no part takes.

        Args:
            sample: a .npz file, a mapping of arrays by name, or the array itself where there is a single input.

        Raises:
            BadInput: an input is missing, of another dtype or shape, or an option is unknown.
        """
        check_names(options, ("out",))
        values = dict(self._arrays(sample))
        outputs: dict[str, NDArray[Any]] = {}
        for part in self._parts:
            made = part({spec.name: _validate_input(spec, values) for spec in part.inputs})
            values |= made
            outputs |= made
        taken = {spec.name for part in self._parts for spec in part.inputs}
        outputs = {name: array for name, array in outputs.items() if name not in taken} or outputs
        if options.get("out"):
            _write(Path(options["out"]), outputs)
        shapes = [f"{name} {array.dtype} {_shape(array)}" for name, array in outputs.items()]
        lines = [f"{shape}: {_values(array)}" for shape, array in zip(shapes, outputs.values(), strict=True)]
        return Prediction(", ".join(shapes), {"lines": lines}, {"calls": 1.0}, score=outputs)

    def _arrays(self, sample: Any) -> Mapping[str, NDArray[Any]]:
        if isinstance(sample, (str, Path)):
            return read(Path(sample))
        if isinstance(sample, Mapping):
            return {str(name): np.asarray(value) for name, value in sample.items()}
        inputs = self._parts[0].inputs
        if len(inputs) != 1:
            raise BadInput(f"the network has {len(inputs)} inputs: {', '.join(spec.name for spec in inputs)}.")
        return {inputs[0].name: np.asarray(sample)}


def _validate_input(spec: TensorSpec, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The array of an input, contiguous. Floats of another width and whole numbers are converted."""
    if spec.name not in values:
        raise BadInput(f"the input {spec.name!r} is missing.", hint=f"There is: {', '.join(values) or 'nothing'}.")
    array = values[spec.name]
    if array.dtype.name != spec.dtype and array.dtype.kind == np.dtype(spec.dtype).kind:
        array = array.astype(spec.dtype)
    if array.dtype.name != spec.dtype or not spec.fits(array.shape):
        wanted = f"{spec.dtype} {' x '.join(map(str, spec.shape)) or 'scalar'}"
        raise BadInput(f"the input {spec.name!r} is {array.dtype} {_shape(array)}; it must be {wanted}.")
    return np.asarray(array, order="C")


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape)) or "scalar"


def _values(array: NDArray[Any]) -> str:
    flat = array.reshape(-1)
    return " ".join(f"{value:.4g}" for value in flat[:_SHOWN].tolist()) + (" ..." if flat.size > _SHOWN else "")


def _write(file: Path, outputs: Mapping[str, NDArray[Any]]) -> None:
    from edgekit.common.files import replacing

    with replacing(file) as fresh, fresh.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **dict(outputs))
