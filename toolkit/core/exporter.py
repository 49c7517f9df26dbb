"""The nouns of writing: an exporter, and what it wrote for one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from edgekit.core.model import Model
from edgekit.core.running import Runner
from edgekit.core.values import Checkpoint, Feeds, Progress, Recipe

__all__ = ["Artifact", "Exporter"]


@dataclass(frozen=True)
class Artifact:
    """What an exporter wrote for one part.

    Attributes:
        part: the part's name. file: relative to the bundle (a file, or a folder for formats that are folders).
        census: operators and bytes by dtype, and which layers were quantized how and why (JSON-able).
    """

    part: str
    file: str
    census: Mapping[str, Any]


@runtime_checkable
class Exporter(Protocol):
    """One output format. One file in `exporters/` declares one of these as ``EXPORTER``.

    One whose files are source code, which `load` or a target's device compiles and runs, also has ``check(model,
    bundle)``: it raises BadInput unless all code in the bundle folder is what it would generate itself.

    One that cannot hold every model's parts has ``refuses(model, recipe)``: why not, a clause for people, from the
    declaration alone and before anything is fetched; "" if it can.

    One whose `load` gives the right answers on this machine, but by other means than the target's, says so in
    ``untimed``, a sentence: nothing of it is measured here.

    One that takes parts without a `Part.build` has ``reference(model, checkpoint, work, progress)``, which gives a
    `Runner` of the reference for each of them, by name.
    """

    name: str
    precisions: tuple[str, ...]
    extra: str

    def export(
        self,
        model: Model,
        checkpoint: Checkpoint,
        recipe: Recipe,
        calibration: Mapping[str, Sequence[Feeds]],
        out: Path,
        work: Path,
        progress: Progress,
    ) -> list[Artifact]:
        """Write the parts of `model` into the folder `out`.

        Args:
            calibration: part name -> inputs that it was called with on real samples.
            work: a folder for intermediates, kept while recipes of one export are tried one after another.

        Raises:
            ExportFailed: the format cannot hold this graph, naming the part and the operator.
            Unsupported: the precision is not one of `precisions`.
        """
        ...

    def load(self, file: Path, threads: int) -> Runner:
        """Open a file that `export` wrote. Raises BadInput if the runtime refuses it."""
        ...
