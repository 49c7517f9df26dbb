"""Language models of the hub, or in a Hugging Face folder: what llama.cpp's converter makes a .gguf of."""

from __future__ import annotations

from edgekit.core import ImportOptions, Inspection, Model, TensorSpec
from edgekit.formats.gguf.described import shape_of_config
from edgekit.formats.gguf.language import language_model
from edgekit.importers.common.declared import registry_name
from edgekit.importers.hub.mappings import architecture_of
from edgekit.importers.hub.repository import Repository

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
    licence = repository.folder / "LICENSE"
    return language_model(
        registry_name(repository.source),
        shape,
        repository.licence or "not stated",
        str(licence) if licence.is_file() else "",
        hub=repository.address,
        importer=importer,
    )
