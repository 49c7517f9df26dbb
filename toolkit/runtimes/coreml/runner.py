"""Running a saved ML Program: by Core ML on a Mac, elsewhere by interpreting it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.common.documents import parse_json
from edgekit.common.lazy import NDArray, ct, np, torch
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.descriptions import parse_specs, refuse_damage
from edgekit.runtimes.common.feeds import checked_feeds, first_line
from edgekit.runtimes.coreml.interpreter import program
from edgekit.runtimes.coreml.reader import DESCRIPTION, HELD

#: A specification is the graph without its weights: more is no part of ours, and would be read into memory whole.
_MOST_SPECIFICATION = 256 << 20


class _Runner(Runner):
    """What both have: the contract from the file, and inputs that are checked against it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    _sizes: dict[str, tuple[int, ...]]

    def _take(self, file: Path, model: Any) -> None:
        with refuse_damage(f"{file.name} does not say what its inputs are: edgekit did not make it."):
            told = parse_json(model.user_defined_metadata[DESCRIPTION], file.name)
            self.inputs, self.outputs = parse_specs(told)
            sizes = told.get("sizes", {})
            self._sizes = {str(axis): tuple(int(size) for size in given) for axis, given in sizes.items()}

    def _validate_feeds(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        given = checked_feeds("Core ML", self.inputs, feeds)
        for spec, array in zip(self.inputs, given, strict=True):
            for have, axis in zip(array.shape, spec.shape, strict=True):
                if isinstance(axis, str) and have not in self._sizes.get(axis, (have,)):
                    raise BadInput(
                        f"the input {spec.name!r} has {have} {axis}; this package was made for "
                        f"{', '.join(map(str, self._sizes[axis]))}.",
                        hint="Export without -o shapes=enumerated for any other size.",
                    )
        return {spec.name: array for spec, array in zip(self.inputs, given, strict=True)}

    def _cast_outputs(self, values: Feeds) -> dict[str, NDArray[Any]]:
        return {spec.name: values[spec.name].astype(spec.dtype) for spec in self.outputs}


class InterpretedRunner(_Runner):
    """The program, operator by operator, in torch: fp16 values, sums in fp32. Raises BadInput: it is damaged."""

    def __init__(self, file: Path, threads: int) -> None:
        model = _open_package(file)
        self._take(file, model)
        self._program = program.Program(file)
        if unknown := self._program.unknown:
            self.unable = f"Core ML runs on Apple's systems only, and the operator {unknown} is not interpreted"
        self._threads = threads

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        if self.unable:
            raise Unsupported(f"the part cannot be run here: {self.unable}.", hint="Run it on a Mac.")
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            return self._cast_outputs(self._program(self._validate_feeds(feeds)))
        except (RuntimeError, ValueError, IndexError) as exc:
            raise BadInput(f"the program could not be run: {exc}") from exc
        finally:
            torch.set_num_threads(before)


class NativeRunner(_Runner):
    """Core ML itself, on all of the Mac's units. Raises BadInput where it refuses the package."""

    def __init__(self, file: Path) -> None:
        self._take(file, _open_package(file))
        try:
            self._model = ct.models.MLModel(str(file))
        except Exception as exc:
            raise BadInput(f"Core ML refuses {file.name}: {exc}") from exc

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        given = {
            name: array.astype(HELD.get(array.dtype.name, "int32"))
            for name, array in self._validate_feeds(feeds).items()
        }
        return self._cast_outputs({name: np.asarray(value) for name, value in self._model.predict(given).items()})


def _open_package(file: Path) -> Any:
    specification = file / "Data" / "com.apple.CoreML" / "model.mlmodel"
    try:
        if specification.stat().st_size > _MOST_SPECIFICATION:
            raise BadInput(f"{file.name} has a specification of more than {_MOST_SPECIFICATION} bytes.")
        return ct.models.MLModel(str(file), skip_model_load=True)
    except BadInput:
        raise
    except Exception as exc:  # protobuf, JSON and coremltools have no common base
        raise BadInput(f"{file.name} is no Core ML package that can be read: {first_line(exc)}") from exc
