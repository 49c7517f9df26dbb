"""Models of transformers: an address of the Hugging Face hub, or a folder."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core import Checkpoint, Importer, ImportOptions, Inspection, Model, Part, Progress
from edgekit.errors import Unsupported, need
from edgekit.importers.common.declared import Import, declare_import
from edgekit.importers.hub.choosing import choose, fitting, own_code
from edgekit.importers.hub.families import (
    declared_language,
    described_as,
    family_of,
    inspected_language,
    member,
    writes,
)
from edgekit.importers.hub.kinds import arrays, plan_of
from edgekit.importers.hub.kinds.common import first
from edgekit.importers.hub.measuring.cached import measured_once
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import SCHEME, Repository, open_repository


class HubImporter(Importer):
    """See `edgekit.core.Importer`."""

    name = "hub"
    form = "hf://ORG/MODEL or a Hugging Face folder"
    extra = "hub"
    distributions = ("transformers",)

    def accepts(self, source: str) -> bool:
        return source.startswith(SCHEME) or Path(source).expanduser().is_dir()

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        repository = _open_source(source, options, progress)
        if own_code(repository, options):
            from edgekit.importers.hub.trusted.declaring import inspected_trusted

            return inspected_trusted(repository, options, progress)
        if writes(repository, options):
            return inspected_language(repository, self.name)
        if (family := family_of(repository, options)) is not None:
            return described_as(family.declare(member(repository, self.name)), repository)
        architecture, tasks = fitting(repository)
        described = Inspection(
            source, self.name, architecture, tasks, parameters=repository.parameters(), licence=repository.licence
        )
        return _add_inputs_outputs(described, repository, options)

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        repository = _open_source(source, options, progress)
        if own_code(repository, options):
            from edgekit.importers.hub.trusted.declaring import declared_trusted

            return declared_trusted(repository, options, progress)
        if writes(repository, options):
            return declared_language(repository, self.name)
        if (family := family_of(repository, options)) is not None:
            return family.declare(member(repository, self.name))
        progress(f"reading the settings of {source}", 0, 0)
        return _declare_plan(
            repository, measured_once(plan_of(repository, choose(repository, options), options), repository)
        )


def _open_source(source: str, options: ImportOptions, progress: Progress) -> Repository:
    """The repository; of a language model its config.json alone, which tells size and memory."""
    settings = open_repository(source, options.offline, progress, settings=True)
    if "auto_map" not in settings.config and writes(settings, options):
        return settings
    return open_repository(source, options.offline, progress)


def _add_inputs_outputs(described: Inspection, repository: Repository, options: ImportOptions) -> Inspection:
    """`described` with inputs and outputs of the only or the chosen task; if there are several, with their names."""
    try:
        plan = plan_of(repository, choose(repository, options), options)
    except Unsupported as exc:
        if options.task:
            raise
        # A task that is not stated is one of two: then the next command needs --task.
        open_ended = exc.hint.startswith("Choose: --task") and len(described.tasks) == 1
        tasks = tuple(dict.fromkeys((*described.tasks, *(("tensors",) if open_ended else ()))))
        return replace(described, tasks=tasks, notes=(exc.message, exc.hint))
    inputs = tuple(spec for part in plan.parts for spec in part.inputs)
    outputs = tuple(spec for part in plan.parts for spec in part.outputs)
    return replace(described, inputs=inputs, outputs=outputs, notes=plan.notes)


def _declare_plan(repository: Repository, plan: Plan) -> Model:
    parts = tuple(_part(plan, part) for part in plan.parts)
    fixed = tuple(_part(plan, part) for part in plan.fixed)
    size = first(repository.config, "vocab_size")
    words = size if isinstance(size, int) else 2
    free = plan.kind == "arrays"
    return declare_import(
        Import(
            source=repository.source,
            importer="hub",
            parts=parts,
            hub=repository.address,
            facts=plan.facts,
            assets=plan.assets,
            parameters=plan.parameters,
            works=plan.works,
            task=plan.task,
            golden=str(arrays.golden_noise(plan, words)) if free else "",
            evidence=arrays.noise_evidence(plan, words) if free else None,
            labels=plan.labels,
            # The axis of texts may be padded, so formats that keep one such axis take the parts as they are.
            variants=({"one axis": parts} if plan.kind == "text" else {}) | ({"planned axes": fixed} if fixed else {}),
            licence=repository.licence,
            licence_text=repository.licence_text,
            extra_bytes=sum((repository.folder / name).stat().st_size for name in plan.assets),
        )
    )


def _part(plan: Plan, part: PartPlan) -> Part:
    return Part(
        name=part.name,
        inputs=part.inputs,
        outputs=part.outputs,
        axes=part.axes,
        build=functools.partial(_build, plan, part.name),
        quantize=part.quantize,
    )


def _build(plan: Plan, part: str, checkpoint: Checkpoint) -> Any:
    with need("hub", "Building a Hugging Face model"):
        from edgekit.importers.hub.networks.modules import build
    return build(plan, part, checkpoint)


IMPORTER = HubImporter()
