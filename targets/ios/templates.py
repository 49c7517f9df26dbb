"""The templates of a Swift package: their files compile as they are, and names in them are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.targets.common import templates
from edgekit.targets.common.templates import plain

__all__ = ["TEMPLATES", "fill", "plain"]

TEMPLATES = Path(__file__).parent / "apple"


def fill(template: str, out: Path, words: Mapping[str, str]) -> None:
    """Copy a template with its names replaced."""
    templates.fill(TEMPLATES / template, out, words)
