"""Arrays in, arrays out: for networks of any other purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Agreement, Prediction, Predictor, Runner, Task, TensorSpec
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.tensors.arrays import cosines, determination, errors, objection, read, sample_outputs, samples

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


#: Least cosine of every output with the reference's, and the least share of samples that reach it.
_NEAR, _BAR = 0.99, 0.95


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    return [cosine >= _NEAR for cosine in cosines(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {
        "least cosine": min(cosines(answers, reference), default=0.0),
        "largest relative error": max(errors(answers, reference), default=0.0),
        "coefficient of determination (R²)": determination(answers, reference),
    }


TASK = Task(
    "tensors",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Chain(parts),
    agreement=Agreement(
        f"every output has a cosine of at least {_NEAR} with fp32's",
        lambda prediction: sample_outputs(prediction.score),
        _same,
        _BAR,
        _figures,
        bounds=False,
        objection=objection,
    ),
)
