"""The golden input of a bundle: a real sample, the fp32 reference's outputs, and the check that the bundle agrees."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.bundles.manifest import NAME
from edgekit.bundles.opened import load, makers
from edgekit.common import package_data
from edgekit.common.arrays import read_arrays
from edgekit.common.lazy import NDArray, np
from edgekit.core import Bundle, Calls, Model, Predictor, Runner, Target
from edgekit.errors import BadInput, ParityFailed, boundary
from edgekit.numerics.parity import Recorder, limits_of, relative_error, sample_outputs

_MOST = 64 * 2**20


def write_input(model: Model, out: Path) -> str:
    """Write the golden input into the bundle folder `out`; returns its name there."""
    name = f"golden/input{Path(model.task.golden).suffix}"
    (out / "golden").mkdir()
    (out / name).write_bytes(package_data.read(model.task.golden))
    return name


def answer(predictor: Predictor, sample: Path) -> str:
    """The answer to the golden input, every part called."""
    return str(predictor.probe(str(sample)).output)


def reference_of(recorders: Mapping[str, Recorder]) -> dict[str, NDArray[Any]]:
    """Sampled outputs of every part's first calls: ``"PART/CALL/OUTPUT" -> float32``."""
    return {
        f"{part}/{key}": value for part, rec in recorders.items() for key, value in sample_outputs(rec.calls).items()
    }


def write_reference(arrays: Mapping[str, NDArray[Any]], out: Path) -> str:
    """Write the fp32 reference's outputs into the bundle folder `out`; returns the file's name."""
    name = "golden/reference.npz"
    np.savez_compressed(out / name, allow_pickle=False, **dict(arrays))
    _without_times(out / name)
    return name


def compare(
    recorders: Mapping[str, Recorder],
    reference: Mapping[str, NDArray[Any]],
    limits: Mapping[str, float],
) -> dict[str, float]:
    """Compare every part's outputs on the golden input, fed by the parts before it, with fp32 (`reference_of`).

    Args:
        limits: part -> its largest error (`edgekit.numerics.parity.limits_of`).

    Returns:
        part -> error along the chain (see `edgekit.numerics.parity.relative_error`).

    Raises:
        ParityFailed: a part is further from the fp32 reference than its limit, or was called otherwise.
    """
    errors = {}
    for part, recorder in recorders.items():
        prefix = f"{part}/"
        expected = {k.removeprefix(prefix): v for k, v in reference.items() if k.startswith(prefix)}
        actual = sample_outputs(recorder.calls)
        if not expected or set(actual) != set(expected):
            raise ParityFailed(f"the part {part!r} gives other outputs on the golden input than the fp32 reference.")
        errors[part] = relative_error([actual], [expected])
        if not errors[part] <= limits[part]:
            raise ParityFailed(
                f"the part {part!r} is {errors[part]:.2%} away from the fp32 reference on the golden input; "
                f"at most {limits[part]:.2%} is explained.",
                hint="Export again; if that does not help, this runtime computes something else: report its version.",
            )
    return errors


class Proof(NamedTuple):
    """Part -> error along the chain (see `edgekit.numerics.parity.relative_error`; None: parts cannot be run here); the
    first calls of every part; and the amounts of work in the golden input (`Prediction.units`)."""

    errors: Mapping[str, float | None]
    calls: Calls
    units: Mapping[str, float]


def prove(bundle: Bundle, threads: int, keep: int = 2) -> Proof:
    """Run the bundle on its golden input and compare every part, and the answer, with the manifest.

    Args:
        keep: number of first calls of each part that are returned.

    Raises:
        ParityFailed: a part is further from the fp32 reference than its precision explains, or the answer differs.
    """
    manifest = bundle.manifest
    recorders: dict[str, Recorder] = {}

    def record(name: str, runner: Any) -> Recorder:
        recorders[name] = Recorder(runner, keep=keep)
        return recorders[name]

    predictor = load(bundle.path, threads, record, hashes=False)
    if unable(recorders):
        return Proof(dict.fromkeys(recorders), {}, {})
    prediction = predictor.probe(str(bundle.path / manifest.golden.input))
    said = str(prediction.output)
    reference = read_reference(bundle.path / manifest.golden.reference)
    names = [part.name for part in manifest.parts]
    errors = compare(
        recorders, reference, limits_of(manifest.recipe, names, manifest.golden.errors, makers(bundle).exporter.limits)
    )
    if said != manifest.golden.output:
        raise ParityFailed(
            f"the golden input gives {said!r}, the manifest says {manifest.golden.output!r}.",
            hint="Another runtime version or processor may round differently: export on a machine like the target.",
        )
    return Proof(errors, {name: recorder.calls for name, recorder in recorders.items()}, prediction.units)


def unable(runners: Mapping[str, Runner]) -> str:
    """Why the parts cannot be run on this machine, as a clause, with the part that is the reason; "" if they can."""
    return next((f"{part} is not run here: {runner.unable}" for part, runner in runners.items() if runner.unable), "")


def check_structure(bundle: Bundle) -> None:
    """Every part opens, and has the inputs and outputs that the manifest declares.

    Raises:
        ParityFailed: a part has other tensors. BadInput: the runtime refuses a part, or code is not edgekit's.
    """
    manifest = bundle.manifest
    model, exporter, runtime = makers(bundle)
    exporter.check(model, bundle.path)
    for part in manifest.parts:
        runner = runtime.load(bundle.path / part.file, 1)
        for side in ("inputs", "outputs"):
            actual = [(spec.name, spec.dtype, list(spec.shape)) for spec in getattr(runner, side)]
            declared = [(spec.name, spec.dtype, spec.shape) for spec in getattr(part, side)]
            if actual != declared:
                raise ParityFailed(f"the {side} of {part.file} are {actual}, the manifest declares {declared}.")


@contextlib.contextmanager
def trusted_folder(bundle: Bundle, target: Target) -> Iterator[Path]:
    """A folder with the files of `bundle`, whose code `target` may build and run on its device.

    Where there is source code, it is a copy that nobody else can write to, so what was checked is what is compiled.

    Raises:
        BadInput: the target does not have its runtime, or code in it is not what the exporter generates.
    """
    model, exporter, runtime = makers(bundle)
    if runtime.name not in {*(recipe.runtime for recipe in target.recipes.values()), *target.runtimes}:
        raise BadInput(
            f"the bundle {bundle.path.name} says that {runtime.name!r} runs it, which is not on {target.name}.",
            hint="Export it again with this edgekit.",
        )
    if not exporter.generates_code:
        yield bundle.path
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
        copy = Path(scratch) / bundle.path.resolve().name
        with boundary():
            for name in (*bundle.manifest.files, NAME):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle.path / name, copy / name, follow_symlinks=False)
        exporter.check(model, copy)
        yield copy


def read_reference(path: Path) -> dict[str, NDArray[Any]]:
    """What `write_reference` wrote. Raises BadInput."""
    outputs = read_arrays(path, f"the golden reference {path.name}", _MOST)
    if not all(array.dtype.name == "float32" for array in outputs.values()):
        raise BadInput(f"the golden reference {path.name} holds something other than float32 arrays.")
    return outputs


def _without_times(path: Path) -> None:
    """Rewrite a zip with fixed times, so that the same export gives the same bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    path.write_bytes(buffer.getvalue())
