"""`run`: a bundle's answers to inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.bundles.opened import load
from edgekit.core import Prediction


def run(bundle: str | Path, *inputs: Any, threads: int | None = None, **options: Any) -> list[Prediction]:
    """The answers of the bundle at `bundle` to `inputs`, in order. To run it more than once, keep the predictor of
    `edgekit.load`.

    Args:
        inputs: samples for its predictor (files or arrays). threads: None: all usable processors.
        options: of the predictor, such as ``language="en"``.

    Raises:
        BadInput: not a bundle, or an input or option that cannot be used. UnknownName, MissingExtra: see
            `edgekit.load`.
    """
    predictor = load(bundle, threads)
    return [predictor.predict(sample, **options) for sample in inputs]
