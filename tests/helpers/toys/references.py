"""The torch modules that an export starts from, as runners: what fp32 would have said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core import Checkpoint, Model, Runner
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources.fetching import fetch
from edgekit.tasks.resolved import predictor_of


def references(model: Model) -> tuple[dict[str, Runner], Checkpoint, Path]:
    """Every part of `model` in fp32, the checkpoint that they are of, and the folder that it came in."""
    folder, _ = fetch(model.weights.sources)
    others = {name: read_checkpoint(fetch([source])[0]) for name, source in model.weights.companions.items()}
    checkpoint = replace(read_checkpoint(folder), companions=others)
    return {part.name: reference_of(part, part.build(checkpoint)) for part in model.network.parts}, checkpoint, folder


def floats(name: str) -> Any:
    """A model's pipeline over these modules."""
    model = find("models", name)
    parts, checkpoint, folder = references(model)
    return predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))
