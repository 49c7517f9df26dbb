"""The nouns of writing: an exporter, what it can hold, and what it wrote for one part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.core.model import Model
from edgekit.core.running import Runner
from edgekit.core.values import Checkpoint, Feeds, Progress, Recipe

__all__ = ["Abilities", "Artifact", "Exporter"]


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


@dataclass(frozen=True)
class Abilities:
    """What an exporter can write of a quantized network, and what becomes of it on the target. All empty: floats only.

    Attributes:
        bits: widths of integer weights. scales: what has a scale of its own: ``"tensor"``, ``"channel"`` (an output).
        blocks: so many weights of one output that have a scale of their own. palettes: bits of an index into a table of
            values, which a weight can be.
        activations: how they go with integer weights: ``"static"`` (integers, ranges fixed by calibration),
            ``"dynamic"`` (integers, ranges of each call), ``"float"``.
        integer: layers whose products the kernels compute in integers: ``"convolution"``, ``"product"`` (of matrices),
            ``"recurrent"``.
    """

    bits: tuple[int, ...] = ()
    scales: tuple[str, ...] = ()
    blocks: tuple[int, ...] = ()
    palettes: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()


#: What every exporter declares, and of which type.
_DECLARED: Mapping[str, type] = {
    "name": str,
    "precisions": tuple,
    "extra": str,
    "distributions": tuple,
    "abilities": Abilities,
    "doctor": str,
}


class Exporter(ABC):
    """One output format. One file or package in `exporters/` declares one of these as ``EXPORTER``.

    Attributes:
        name: as the registry has it. precisions: the default one first.
        extra: of this package, which brings what an export needs.
        distributions: that an export needs. Their versions decide what it writes: they are in the key of reuse, in the
            manifest and in the bill of materials, and `doctor` looks at them.
        abilities: see there.
        doctor: what this machine can do if they are there, for `doctor`: ``"export to ONNX"``.
        runtime: the distribution that runs the files here; its version is ``{version}`` in `Target.runtime`.
        process_bytes: of memory, of a process that has loaded the runtime, numpy and a reader of sounds or pictures,
            and no model.
        limits: precision -> the largest relative error that it explains, where `edgekit.numerics.parity` has none.
        plans_memory: whether `export` compares the budgets itself, to the byte, and needs no estimate before.
        generates_code: whether the files are source code, which `load` or a target's device compiles and runs.
        untimed: why nothing is measured here, a sentence, where `load` gives the right answers by other means than the
            target's.
    """

    name: str
    precisions: tuple[str, ...]
    extra: str
    distributions: tuple[str, ...]
    abilities: Abilities
    doctor: str
    runtime: str = ""
    process_bytes: int = 60_000_000
    limits: Mapping[str, float] = MappingProxyType({})
    plans_memory: bool = False
    generates_code: bool = False
    untimed: str = ""

    @abstractmethod
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

    @abstractmethod
    def load(self, file: Path, threads: int) -> Runner:
        """Open a file that `export` wrote. Raises BadInput if the runtime refuses it."""

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Why the parts of `model` cannot be written: a clause for people, from the declaration alone and before
        anything is fetched; "" if they can."""
        return ""

    def require(self) -> None:  # noqa: B027  most have nothing that every export needs
        """Raise MissingExtra where something is absent that every export needs, before the weights are read."""

    def reference(self, model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> Mapping[str, Runner]:
        """A runner of the reference, by name, of each part without a `Part.build` that this exporter takes."""
        return {}

    def check(self, model: Model, bundle: Path) -> None:  # noqa: B027  most files are no code
        """See that all source code in the bundle folder is what this exporter generates; raises BadInput otherwise."""

    def state(self) -> tuple[bool, str, str] | None:
        """For `doctor`: whether an export can be made, what was found, and the command that adds the rest. None: that
        is said by `distributions` and `extra`."""
        return None

    def undeclared(self) -> list[str]:
        """What this exporter should declare and does not, or as something of another type."""
        return [name for name, kind in _DECLARED.items() if not isinstance(getattr(self, name, None), kind)]
