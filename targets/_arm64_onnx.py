"""onnx bundles on emulated 64-bit Arm: the file's tensors are the part's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Feeds
from edgekit.targets._arm64_build import tools

__all__ = ["NAME", "feeds_of", "outputs_of", "tools"]

NAME = "onnxruntime"


def feeds_of(file: Path, feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    return feeds


def outputs_of(file: Path, answers: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    return answers
