"""Programs of torch.export: ``model.pt2``."""

from __future__ import annotations

from pathlib import Path

from edgekit.common.files import hash_file
from edgekit.core import Importer, ImportOptions, Inspection, Model, Progress
from edgekit.errors import BadInput, boundary
from edgekit.formats import pt2
from edgekit.importers.common.axes import Bounds
from edgekit.importers.common.graphs import bounds_of, declared_graph, inspect_program
from edgekit.importers.common.stored import keep_noise

_TASK = "tensors"


class TorchProgram(Importer):
    name = "torch-program"
    form = "model.pt2"
    extra = "export"

    def accepts(self, source: str) -> bool:
        return Path(source).suffix == ".pt2" and "://" not in source

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        program, bounds = _open_source(source, options)
        return inspect_program(source, self.name, program, bounds, (_TASK,))

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        program, bounds = _open_source(source, options)
        for note in bounds.notes:
            progress(note, 0, 0)
        samples = _noise(program, bounds)
        return declared_graph(source, self.name, program, bounds, options, samples, synthetic=True)


def _open_source(source: str, options: ImportOptions) -> tuple[pt2.Program, Bounds]:
    path = Path(source).expanduser()
    if not path.is_file():
        raise BadInput(f"there is no file {source!r}.")
    with boundary():
        program = pt2.read(path)
    return program, bounds_of(program, options.axes)


def _noise(program: pt2.Program, bounds: Bounds) -> Path:
    """The folder of synthetic samples in the cache, made once."""
    key = ("noise", hash_file(program.path), repr(bounds.axes), repr(bounds.names))
    return keep_noise(key, bounds.rename_axes(program.inputs), bounds.axes, program.rows)


IMPORTER = TorchProgram()
