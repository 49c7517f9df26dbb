"""What goes in and what comes out, by the kind of input; read from config files alone, without torch."""

from __future__ import annotations

from edgekit.core import ImportOptions
from edgekit.importers.hub.choosing import Choice
from edgekit.importers.hub.kinds import arrays, pictures, sounds, texts
from edgekit.importers.hub.plan import Plan
from edgekit.importers.hub.repository import Repository

__all__ = ["KINDS", "plan_of"]

#: Task -> what makes the plan of an architecture for it.
KINDS = {
    "feature-extraction": texts.plan,
    "text-classification": texts.plan,
    "fill-mask": texts.plan,
    "image-classification": pictures.plan,
    "image-feature-extraction": pictures.plan,
    "audio-classification": sounds.plan,
    "automatic-speech-recognition": sounds.plan,
    "tensors": arrays.plan,
}


def plan_of(repository: Repository, choice: Choice, options: ImportOptions) -> Plan:
    """The plan, but for what only torch can tell (outputs of arrays, costs, the normalisation of pictures)."""
    return KINDS[choice.task](repository, choice, options)
