"""A speaker model's pipeline over the torch modules that an export starts from: what fp32 would have said."""

from __future__ import annotations

from typing import Any

from helpers.toys.references import references

from edgekit.registry import find
from edgekit.tasks.resolved import predictor_of


def floats(name: str) -> Any:
    model = find("models", name)
    parts, checkpoint, folder = references(model)
    return predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))
