"""Types of executing: a runtime, and what it demands of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from edgekit.core.exporter import Artifact
from edgekit.core.model import Model
from edgekit.core.placement import Case, Lowering
from edgekit.core.running import Runner
from edgekit.core.values import Feeds, Recipe


@dataclass(frozen=True)
class Abilities:
    """The quantized forms of layers that a runtime computes as they are. All empty: floats only.

    Attributes:
        bits: widths of integer weights. scales: granularity of scales: ``"tensor"``, ``"channel"`` (an output).
        blocks: numbers of weights of an output that share a scale. palettes: bits of an index into a table of
            weight values.
        activations: their form beside integer weights: ``"static"`` (integers, ranges fixed by calibration),
            ``"static-16"`` (the same, of 16 bits), ``"dynamic"`` (integers, ranges of each call), ``"float"``.
        integer: layers whose products the kernels compute in integers: ``"convolution"``, ``"product"`` (of matrices),
            ``"recurrent"``.
    """

    bits: tuple[int, ...] = ()
    scales: tuple[str, ...] = ()
    blocks: tuple[int, ...] = ()
    palettes: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Constraint:
    """A form that a runtime refuses, or computes wrongly or slowly, and the form that it needs instead.

    Attributes:
        form, instead: words of the format's grammar. why: what happens otherwise, for people.
    """

    form: str
    instead: str
    why: str


#: The version of what exporters and runtimes of other packages must be: they declare it as ``interface``. Since 3, an
#: exporter writes files, and a runtime opens them.
INTERFACE = 3

#: Attributes that every runtime declares, and their types.
_DECLARED: Mapping[str, type] = {"name": str, "formats": tuple, "distributions": tuple, "abilities": Abilities}


class Runtime(ABC):
    """Software that executes the files of a format. A file or package in `runtimes/` declares it as ``RUNTIME``.

    Attributes:
        name: registry name. formats: names of the exporters whose files it takes; a recipe that names the runtime is
            written by the first. Empty for what computes references, and opens no file.
        distributions: what is installed here to run the files, the runtime itself first: its version is
            ``{version}`` in `Target.runtimes`, and all of them are in the key of reuse. extra: the extra of edgekit
            that installs them.
        doctor: what they allow, for `doctor`: ``"run OpenVINO"``; "" where the exporter says it.
        runs: how files run from here. ``"interpreted"`` and ``"emulated"`` give answers and no times.
        untimed: why no speed is measured on this machine; "" if it is measured.
        process_bytes: memory of a process that has loaded the runtime, numpy and a reader of sounds or pictures,
            but no model.
        holds: weights in memory: ``"packed"`` (laid out anew, the file let go), ``"widened"`` (the same,
            but what is not computed in integers in float32), ``"copied"`` (the file, a copy, and what kernels lay out
            anew), ``"mapped"`` (the file alone).
        abilities, constraints: see `Abilities` and `Constraint`.
        costs: kind of layer -> form -> its time, relative to the same layer in int8, where that was measured.
        terms: distribution -> its makers' own licence, a sentence, which is said at an export, and stands in the
            manifest and the bill of materials.
        cpu: of a runtime for an accelerator: the name of the one that computes the same files on a processor.
        places: what takes layers, where `lower` counts which ones: ``"XNNPACK"``; "" where it does not say.
        compiled: bytes of what it compiles ahead and puts beside a part's own file, as a share of that file.
    """

    name: str
    formats: tuple[str, ...]
    distributions: tuple[str, ...]
    abilities: Abilities
    extra: str = ""
    doctor: str = ""
    runs: Literal["native", "emulated", "simulated", "interpreted", "connected"] = "native"
    untimed: str = ""
    process_bytes: int = 60_000_000
    holds: Literal["packed", "widened", "copied", "mapped"] = "packed"
    constraints: tuple[Constraint, ...] = ()
    costs: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    terms: Mapping[str, str] = MappingProxyType({})
    cpu: str = ""
    places: str = ""
    compiled: float = 0.0

    @abstractmethod
    def load(self, file: Path, threads: int) -> Runner:
        """Open a file of one of `formats`.

        Args:
            threads: within an operator.

        Raises:
            BadInput: the runtime refuses it. MissingExtra: the runtime is absent.
        """

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Why it cannot run what the recipe makes of the model, as a clause, from the declaration alone and before any
        download; "" if it can. What only a file tells, `lower` refuses."""
        return ""

    def require(self) -> None:  # noqa: B027  most are needed when a file is loaded, and not before
        """Raise MissingExtra if it is absent, before an export begins that cannot end without it."""

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """Compile a part ahead, or say where each of its layers runs (`places`).

        Args:
            folder: of the files, and for those that are made.

        Returns:
            The artefact, with a `Placement` as a mapping under ``placement`` in its census.

        Raises:
            ExportFailed: the runtime refuses the part, or computes layers in another form than the file says.
        """
        return artifact

    def least_signal(self, recipe: Recipe, quantized: bool) -> float:
        """Least signal to noise (dB) of a part on the accelerator beside a processor with the same file: 40, which is
        1 %, where a runtime does not know better.

        Args:
            quantized: whether any layer of the part is computed in integers.
        """
        return 40.0

    def find_wrong_layer(self, file: Path, feeds: Feeds) -> str:
        """The first layer that the accelerator computes differently than the processor, with its distance and what it
        follows; "" if none is found. file: of the part."""
        return ""

    def cases(self, parts: Mapping[str, tuple[Path, Sequence[Feeds], bool]], recipe: Recipe) -> Iterable[Case]:
        """What a phone can say of the accelerator, and a simulator cannot; empty where no phone needs to be asked.

        Args:
            parts: of a bundle: name -> its file, inputs of calls, and whether any layer is computed in integers.
        """
        return ()

    def contradictions(self) -> list[str]:
        """Pairs of constraints that demand different forms in place of the same, as phrases."""
        demanded: dict[str, str] = {}
        return [
            f"{one.form!r} -> {demanded[one.form]!r} and -> {one.instead!r}"
            for one in self.constraints
            if demanded.setdefault(one.form, one.instead) != one.instead
        ]

    def missing_attributes(self) -> list[str]:
        """Names of required attributes that are missing or of another type."""
        return [name for name, kind in _DECLARED.items() if not isinstance(getattr(self, name, None), kind)]
