"""Checkpoints of a family whose networks are written by hand (`edgekit.core.Family`)."""

from __future__ import annotations

from edgekit.core import Family, ImportOptions, Inspection, Member, Model
from edgekit.importers.common.declared import registry_name
from edgekit.importers.hub.mappings import architecture_of
from edgekit.importers.hub.repository import Repository
from edgekit.registry import find, names


def family_of(repository: Repository, options: ImportOptions) -> Family | None:
    """The family that has the checkpoint's architecture; None if there is none, or another task is asked for."""
    architecture = architecture_of(repository.config)
    for name in names("families"):
        family = find("families", name)
        if architecture in family.architectures and options.task in ("", family.usage.name):
            return family
    return None


def member(repository: Repository, importer: str) -> Member:
    """The checkpoint, as its family declares it. Raises BadInput for settings that are no table."""
    licence = repository.folder / "LICENSE"
    generation = repository.json("generation_config.json")
    return Member(
        name=registry_name(repository.source),
        address=repository.address,
        config=repository.config,
        generation=generation if isinstance(generation, dict) else {},
        licence=repository.licence,
        licence_text=str(licence) if licence.is_file() else "",
        importer=importer,
    )


def described_as(model: Model, repository: Repository) -> Inspection:
    """What `edgekit inspect` shows of such a checkpoint."""
    parts = model.network.parts
    return Inspection(
        source=repository.source,
        kind=model.identity.importer,
        architecture=architecture_of(repository.config),
        tasks=(model.task.name,),
        inputs=tuple(spec for part in parts for spec in part.inputs),
        outputs=tuple(spec for part in parts for spec in part.outputs),
        parameters=model.network.parameters,
        licence=repository.licence,
    )
