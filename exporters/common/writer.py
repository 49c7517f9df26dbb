"""What edgekit's own exporters share: an export is one record, and options are a table that is checked before it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgekit.core import Artifact, Checkpoint, Exporter, Feeds, Model, Part, Progress, Recipe
from edgekit.errors import ExportFailed
from edgekit.exporters.common import options


@dataclass(frozen=True)
class Request:
    """What an exporter is asked for: the arguments of `edgekit.core.Exporter.export`."""

    model: Model
    checkpoint: Checkpoint
    recipe: Recipe
    calibration: Mapping[str, Sequence[Feeds]]
    out: Path
    work: Path
    progress: Progress

    @property
    def parts(self) -> Sequence[Part]:
        return self.model.network.parts

    def feeds(self, part: Part) -> Sequence[Feeds]:
        """The inputs of a part on calibration samples; none where nobody recorded any."""
        return self.calibration.get(part.name, ())

    def module(self, part: Part, exporter: str, hint: str = "") -> Any:
        """The torch module of a part. Raises ExportFailed where it is none."""
        module: Any = part.build(self.checkpoint) if part.build else None
        if not hasattr(module, "state_dict"):
            raise ExportFailed(
                f"the part {part.name!r} ({part.kind}) is not a torch module; the {exporter} exporter cannot write it.",
                hint=hint,
            )
        return module


class Writer(Exporter):
    """An exporter that writes what a `Request` asks for.

    Attributes:
        rules: option of a recipe -> what it may be (`edgekit.exporters.common.options`).
    """

    rules: ClassVar[Mapping[str, options.Rule]]

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
        """See `edgekit.core.Exporter.export`."""
        self.check_recipe(model, recipe)
        return self.write(Request(model, checkpoint, recipe, calibration, out, work, progress))

    @abstractmethod
    def write(self, request: Request) -> list[Artifact]:
        """Write the parts of a model, whose recipe has been checked, as `edgekit.core.Exporter.export` does."""

    def check_recipe(self, model: Model, recipe: Recipe) -> None:
        """See `edgekit.core.Exporter`."""
        options.check(self, self.rules, model, recipe)
