"""Checkpoints that other rooms declare: of a family whose networks are written by hand (`edgekit.core.Family`), and
language models, which llama.cpp's converter makes a .gguf of."""

from __future__ import annotations

from edgekit.core import Family, ImportOptions, Inspection, Member, Model, TensorSpec
from edgekit.formats.gguf.described import shape_of_config
from edgekit.formats.gguf.language import language_model
from edgekit.importers.common.declared import registry_name
from edgekit.importers.hub.mappings import architecture_of
from edgekit.importers.hub.repository import Repository
from edgekit.registry import find, names

_TASK = "text-generation"


def writes(repository: Repository, options: ImportOptions) -> bool:
    """Whether it is a language model that writes text, and nothing else is asked of it."""
    return options.task in ("", _TASK) and architecture_of(repository.config).endswith("ForCausalLM")


def inspected_language(repository: Repository, importer: str) -> Inspection:
    """What `edgekit inspect` shows. Raises as `shape_of_config`."""
    shape = shape_of_config(repository.config, repository.source)
    return Inspection(
        source=repository.source,
        kind=importer,
        architecture=architecture_of(repository.config),
        tasks=(_TASK,),
        inputs=(TensorSpec("tokens", "int32", ("tokens",)),),
        outputs=(TensorSpec("logits", "float32", ("tokens", shape.vocabulary)),),
        parameters=shape.parameters,
        licence=repository.licence,
        notes=(f"trained for {shape.context} tokens",),
    )


def declared_language(repository: Repository, importer: str) -> Model:
    """Its declaration. Raises as `shape_of_config`."""
    shape = shape_of_config(repository.config, repository.source)
    return language_model(
        registry_name(repository.source),
        shape,
        repository.licence or "not stated",
        repository.licence_text,
        hub=repository.address,
        importer=importer,
    )


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
    generation = repository.json("generation_config.json")
    return Member(
        name=registry_name(repository.source),
        address=repository.address,
        config=repository.config,
        generation=generation if isinstance(generation, dict) else {},
        licence=repository.licence,
        licence_text=repository.licence_text,
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
