"""Tests whose packages are not installed: skipped by name, but for continuous integration, where they fail."""

from __future__ import annotations

import importlib.util
import os

import pytest


def skip_without(module: str, what: str, make: str = ".venv/.wheel") -> None:
    """Skip the file that calls this if `module` is not installed: `what` the user lacks, and which target brings it."""
    if importlib.util.find_spec(module) is None and not os.environ.get("CI"):
        pytest.skip(f"{what} not installed; run: make {make}", allow_module_level=True)
