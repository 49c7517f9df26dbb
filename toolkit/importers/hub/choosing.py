"""Which task, and which class of transformers: stated by the source or by the user, never guessed."""

from __future__ import annotations

from typing import NamedTuple

from edgekit.core import ImportOptions
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.mappings import architecture_of, base_of, tasks_of
from edgekit.importers.hub.repository import Repository

#: (architecture, task) -> the class that is built of it: a tower.
_TOWERS = {
    ("CLIPModel", "feature-extraction"): "CLIPTextModelWithProjection",
    ("CLIPModel", "image-feature-extraction"): "CLIPVisionModelWithProjection",
    ("SiglipModel", "feature-extraction"): "SiglipTextModel",
    ("SiglipModel", "image-feature-extraction"): "SiglipVisionModel",
    ("T5ForConditionalGeneration", "feature-extraction"): "T5EncoderModel",
    ("MT5ForConditionalGeneration", "feature-extraction"): "MT5EncoderModel",
}
#: Towers that give an embedding themselves, so that no pooling need be stated.
_EMBEDDING = ("CLIPTextModelWithProjection", "SiglipTextModel", "CLIPModel", "SiglipModel")


class Choice(NamedTuple):
    """A task and the class that is built for it (`Plan.built`)."""

    task: str
    architecture: str
    built: str


def fitting(repository: Repository) -> tuple[str, tuple[str, ...]]:
    """The architecture, and the tasks that it fits. `tensors` fits each and is not listed where another does.

    Raises:
        Unsupported: transformers knows no such model.
    """
    architecture = architecture_of(repository.config)
    tasks = tasks_of(architecture)
    if repository.has("modules.json") and "feature-extraction" not in tasks:
        tasks = (*tasks, "feature-extraction")
    return architecture, tasks or ("tensors",)


def own_code(repository: Repository, options: ImportOptions) -> bool:
    """Whether it brings code of its own, which is to be run. Raises BadInput where it is not trusted."""
    if "auto_map" not in repository.config:
        return False
    if not options.trust:
        raise BadInput(
            f"{repository.source} brings code of its own (auto_map in config.json); it is not run unless you trust it.",
            hint="Read that code, then add --trust-code: it then runs in a process of its own, without network.",
        )
    return True


def choose(repository: Repository, options: ImportOptions) -> Choice:
    """The task and the class to build.

    Raises:
        Unsupported: several tasks fit and none is chosen, or the chosen task does not fit.
    """
    architecture, tasks = fitting(repository)
    task = options.task or (tasks[0] if len(tasks) == 1 else "")
    if not task:
        raise Unsupported(
            f"{repository.source} ({architecture}) fits several tasks: {', '.join(tasks)}.",
            hint=f"Choose: --task {tasks[0]}",
        )
    if task == "tensors":
        if not options.task:
            _check_stated(repository, architecture)
        return Choice(task, architecture, architecture)
    if task == "feature-extraction" and not options.task and not _is_embedding_model(repository, architecture):
        raise Unsupported(
            f"{repository.source} ({architecture}) does not state how a sentence becomes a vector (modules.json).",
            hint="Choose: --task feature-extraction (the mean over the tokens) or --task tensors (a vector a token)",
        )
    if task in tasks:
        return Choice(task, architecture, _TOWERS.get((architecture, task), _base(repository, architecture, task)))
    base = base_of(str(repository.config["model_type"]), task)
    if base is None:
        raise Unsupported(
            f"{repository.source} ({architecture}) does not fit the task {task}.",
            hint=f"It fits: {', '.join((*tasks, 'tensors'))}.",
        )
    return Choice(task, architecture, base)


def _check_stated(repository: Repository, architecture: str) -> None:
    """Raise Unsupported: no task fits, and arrays are what the user must ask for."""
    raise Unsupported(
        f"{repository.source} ({architecture}) fits no task that edgekit knows.",
        hint="It works as arrays in, arrays out: --task tensors",
    )


def _is_embedding_model(repository: Repository, architecture: str) -> bool:
    return repository.has("modules.json") or architecture in _EMBEDDING


def _base(repository: Repository, architecture: str, task: str) -> str:
    """Of a network with a head, sentence-transformers takes what lies below."""
    if task != "feature-extraction" or task in tasks_of(architecture):
        return architecture
    return base_of(str(repository.config["model_type"]), task) or architecture
