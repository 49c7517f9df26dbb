"""Types of exporting: an exporter, and the artefact of a part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.core.model import Model
from edgekit.core.running import Runner
from edgekit.core.values import Checkpoint, Facts, Feeds, Progress, Recipe


@dataclass(frozen=True)
class Artifact:
    """The file that an exporter wrote for a part.

    Attributes:
        part: the part's name. file: relative to the bundle (a file, or a folder for formats that are folders).
        census: operators and bytes by dtype, and which layers were quantized how and why (JSON-able).
    """

    part: str
    file: str
    census: Mapping[str, Any]


@dataclass(frozen=True)
class Encoding:
    """Bytes that a format's files take beside their numbers, for estimates from declared `Work`.

    Attributes:
        least: of a graph without layers. layer: precision -> of the graph per layer, ``""`` for others: names, shapes,
            operators between products. sequences: more of them per product of sequences.
        step, step_int8: of a step of a recurrence, where the format writes it out.
        channel: of an output of a product in int8: a bias and a scale. convolution: the same of a convolution.
        block: weights of one scale of 4 bytes in the int8 of products of sequences, whose outputs then have a bias
            alone; 0: they have a scale an output.
        rows: whether the weights that int8 leaves in half are `Work.left_rows` and `Work.small`.
        halves: whether half precision halves biases, too; of recurrent layers every format does.
        mirrored, normed: numbers in float that stand for one of `Work.mirrored` and of `Work.normed`.
        floats: whether recurrent layers stay float32 in half precision.
    """

    least: int = 1500
    layer: Mapping[str, int] = field(default_factory=lambda: {"fp32": 450, "fp16": 550, "": 750})
    sequences: int = 365
    step: int = 4500
    step_int8: int = 4950
    channel: int = 6
    convolution: int = 6
    block: int = 64
    rows: bool = False
    halves: bool = False
    mirrored: int = 0
    normed: int = 4
    floats: bool = False


#: Attributes that every exporter declares, and their types.
_DECLARED: Mapping[str, type] = {
    "name": str,
    "precisions": tuple,
    "extra": str,
    "distributions": tuple,
    "doctor": str,
}


class Exporter(ABC):
    """An output format. A file or package in `exporters/` declares it as ``EXPORTER``.

    Attributes:
        name: registry name. precisions: the default first.
        extra: the extra of edgekit that installs its dependencies.
        distributions: its dependencies. Their versions decide its output, so they are in the key of reuse, in the
            manifest and in the bill of materials; `doctor` checks them.
        doctor: the ability that they give, for `doctor`: ``"export to ONNX"``.
        takes: kinds of ready files that it takes as they are (`Network.ready`).
        demands: what a graph must be, the strictest first; where a model declares a variant for one of them, that is
            what is exported. Words in use: ``"integers"`` (computed without floats), ``"fixed axes"``, ``"filled"``
            (no array is empty), ``"plain names"`` (identifiers, and no scalars), ``"one axis"`` (at most one
            is dynamic in a part), ``"planned axes"`` (memory is planned for the largest sizes), ``"module"`` (a torch
            module, not a graph in a file).
        encoding: see `Encoding`.
        limits: precision -> its largest relative error, for precisions that `edgekit.numerics.parity` does not know.
        plans_memory: whether `export` checks the budgets itself, to the byte, so that no estimate is needed.
        generates_code: whether the files are source code, which a runtime or a target's device compiles and runs.
    """

    name: str
    precisions: tuple[str, ...]
    extra: str
    distributions: tuple[str, ...]
    doctor: str
    takes: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()
    encoding: Encoding = Encoding()
    limits: Mapping[str, float] = MappingProxyType({})
    plans_memory: bool = False
    generates_code: bool = False

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
            calibration: part name -> its inputs on real samples.
            work: a folder for intermediates, kept during an export while recipes are tried.

        Raises:
            ExportFailed: the format cannot hold this graph, naming the part and the operator.
            Unsupported: the precision is not in `precisions`.
        """

    def check_recipe(self, model: Model, recipe: Recipe) -> None:  # noqa: B027  a format may have no options
        """Raise Unsupported for a precision or an option that the format does not have, before anything is fetched."""

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Why the parts of `model` cannot be written, as a clause, from the declaration alone and before any
        download; "" if they can."""
        return ""

    def ladder(self, model: Model, recipe: Recipe) -> Sequence[Recipe]:
        """What is tried if the gate refuses `recipe`, in order: int8, int8 with the most sensitive layers in float,
        half precision, float; of them what the format has, with the model's options. Empty for a ready network that is
        taken as it is."""
        if model.network.precision:
            return ()
        steps = []
        for precision in (name for name in ("int8", "fp16", "fp32") if name in self.precisions):
            options = self.defaults(model, precision)
            steps.append(replace(recipe, precision=precision, options=options))
            if precision == "int8":
                steps += [
                    replace(recipe, precision=precision, options={**options, **own})
                    for own in self.careful(model, recipe)
                ]
        return steps

    def defaults(self, model: Model, precision: str) -> Facts:
        """Options of a recipe for `model`, from the facts of its parts."""
        return {}

    def careful(self, model: Model, recipe: Recipe) -> Sequence[Facts]:
        """Options by which int8 loses less, in the order in which they are tried."""
        return ()

    def candidates(self, model: Model, recipe: Recipe, size: int | None = None) -> Sequence[Recipe]:
        """What a search for the smallest recipe tries, the smallest first: the recipes of the ladder, and all
        precisions without options.

        Args:
            recipe: names the runtime. size: bytes that the bundle may have; None: no limit.
        """
        plain = [replace(recipe, precision=precision, options={}) for precision in self.precisions]
        smallest = sorted(plain, key=lambda recipe: model.costs.size(recipe))
        ladder = self.ladder(model, recipe)
        return list({str(recipe): recipe for recipe in (*smallest[:1], *ladder, *smallest)}.values())

    def faster_recipes(self, model: Model, recipe: Recipe, size: int | None = None) -> Sequence[Recipe]:
        """What a search tries besides, where nothing that passes is fast enough on this machine: recipes that take less
        and less time, and lose more and more. recipe, size: as for `candidates`."""
        return ()

    def recipe_without_samples(self, model: Model, recipe: Recipe) -> Recipe | None:
        """The default in place of `recipe` where no real sample is at hand: what needs none. None: there is no such
        recipe."""
        floats = (name for name in ("fp16", "fp32") if name in self.precisions)
        return next((replace(recipe, precision=name, options={}) for name in floats), None)

    def recipes_for_quantized(self, model: Model, checkpoint: Checkpoint, recipe: Recipe) -> Sequence[Recipe]:
        """The recipes to try in place of a default, for weights that are quantized already, such as that of the file
        itself, by which it is taken as it is. Empty: the default stands. Asked where the user names no precision."""
        return ()

    def require(self) -> None:  # noqa: B027  most have nothing that every export needs
        """Raise MissingExtra if a dependency of every export is absent, before the weights are read."""

    def reference(self, model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> Mapping[str, Runner]:
        """Part name -> runner of the reference, for the parts without `Part.build` that this exporter takes."""
        return {}

    def check(self, model: Model, bundle: Path) -> None:  # noqa: B027  most files are no code
        """Raise BadInput if source code in the bundle folder differs from what this exporter generates."""

    def state(self) -> tuple[bool, str, str] | None:
        """For `doctor`: whether an export is possible, the installed parts, and the command that adds the rest. None:
        `distributions` and `extra` tell it."""
        return None

    def missing_attributes(self) -> list[str]:
        """Names of required attributes that are missing or of another type."""
        return [name for name, kind in _DECLARED.items() if not isinstance(getattr(self, name, None), kind)]
