"""A speaker model's pipeline over the torch modules that an export starts from: what fp32 would have said."""

from __future__ import annotations

from typing import Any

from edgekit.checkpoint import read_checkpoint
from edgekit.parity import reference_of
from edgekit.registry import find
from edgekit.sources import fetch


def floats(name: str) -> Any:
    model = find("models", name)
    folder, _ = fetch(model.sources)
    checkpoint = read_checkpoint(folder)
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in model.parts}
    return model.pipeline(parts, folder, model.prepare(checkpoint, folder))
