"""The golden input of a bundle: a real sample, what fp32 made of it, and the proof that the bundle agrees."""

from __future__ import annotations

import importlib.resources
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core import Bundle, Model
from edgekit.errors import BadInput, ParityFailed
from edgekit.manifest import Manifest
from edgekit.parity import LIMITS, Recorder, relative_error, sampled
from edgekit.registry import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Errors add up along a chain of parts, where `LIMITS` bounds each part alone.
_CHAIN = 2.0
_MOST = 64 * 2**20


def package_data(name: str) -> bytes:
    """A package-data file of the models room."""
    return importlib.resources.files("edgekit.models").joinpath(name).read_bytes()


def write_input(model: Model, out: Path) -> str:
    """Put the golden input into the bundle folder `out`; returns its name there."""
    name = f"golden/input{Path(model.golden).suffix}"
    (out / "golden").mkdir()
    (out / name).write_bytes(package_data(model.golden))
    return name


def write_reference(recorders: Mapping[str, Recorder], out: Path) -> str:
    """Put sampled outputs of the fp32 reference's first calls into the bundle folder `out`; returns the file's name."""
    import numpy as np

    name = "golden/reference.npz"
    arrays = {
        f"{part}/{key}": value for part, recorder in recorders.items() for key, value in sampled(recorder.calls).items()
    }
    np.savez_compressed(out / name, allow_pickle=False, **arrays)
    _without_times(out / name)
    return name


def prove(bundle: Bundle, threads: int) -> dict[str, float]:
    """Run the bundle on its golden input and compare every part, and the answer, with what the manifest says.

    Returns:
        part -> error along the chain (see `edgekit.parity.relative_error`).

    Raises:
        ParityFailed: a part is further from the fp32 reference than its precision explains, or the answer differs.
    """
    from edgekit.bundle import load

    manifest: Manifest = bundle.manifest
    recorders: dict[str, Recorder] = {}

    def record(name: str, runner: Any) -> Recorder:
        recorders[name] = Recorder(runner, keep=2)
        return recorders[name]

    predictor = load(bundle.path, threads, record, hashes=False)
    answer = predictor.predict(str(bundle.path / manifest.golden.input)).output
    expected = _read(bundle.path / manifest.golden.reference)
    limit = LIMITS[manifest.recipe.precision] * _CHAIN
    errors = {}
    for part in manifest.parts:
        prefix = f"{part.name}/"
        reference = {k.removeprefix(prefix): v for k, v in expected.items() if k.startswith(prefix)}
        if not reference or part.name not in recorders:
            raise ParityFailed(f"the golden reference has nothing about the part {part.name!r}.")
        actual = sampled(recorders[part.name].calls)
        if set(actual) != set(reference):
            raise ParityFailed(f"the part {part.name!r} has other outputs than its golden reference.")
        errors[part.name] = relative_error([actual], [reference])
        if not errors[part.name] <= limit:
            raise ParityFailed(
                f"the part {part.name!r} is {errors[part.name]:.1%} away from the fp32 reference on the golden input; "
                f"{manifest.recipe.precision} explains {limit:.0%}.",
                hint="Export again; if that does not help, this runtime computes something else: report its version.",
            )
    if str(answer) != manifest.golden.output:
        raise ParityFailed(
            f"the golden input gives {str(answer)!r}, the manifest says {manifest.golden.output!r}.",
            hint="Another runtime version or processor may round differently: export on a machine like the target.",
        )
    return errors


def check_structure(bundle: Bundle) -> None:
    """Every part opens, and has the inputs and outputs that the manifest declares.

    Raises:
        ParityFailed: a part has other tensors. BadInput: the runtime refuses a part.
    """
    manifest: Manifest = bundle.manifest
    exporter = find("exporters", manifest.recipe.exporter)
    for part in manifest.parts:
        runner = exporter.load(bundle.path / part.file, 1)
        for side in ("inputs", "outputs"):
            actual = [(spec.name, spec.dtype, list(spec.shape)) for spec in getattr(runner, side)]
            declared = [(spec.name, spec.dtype, spec.shape) for spec in getattr(part, side)]
            if actual != declared:
                raise ParityFailed(f"the {side} of {part.file} are {actual}, the manifest declares {declared}.")


def _read(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST:
                raise BadInput(f"{path.name} unpacks to more than {_MOST} bytes.")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as exc:
        raise BadInput(f"the golden reference {path.name} cannot be read: {exc}.") from exc


def _without_times(path: Path) -> None:
    """Rewrite a zip with fixed times, so that the same export gives the same bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    path.write_bytes(buffer.getvalue())
