"""Architectures of transformers that nobody declared, as Hugging Face folders, in every format: the cells of
docs/any-model-reach.md. A few in CI; all with ``pytest -m slow tests/exporters/test_reach.py`` (an hour)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.hub.architectures import ARCHITECTURES
from helpers.hub.reach_cells import PRECISIONS, cells, within

#: What CI exports.
QUICK = {("DistilBERT", "onnx"), ("Swin", "litert"), ("RoBERTa", "coreml")}


def every() -> list[Any]:
    chosen = [(entry, exporter) for entry in ARCHITECTURES for exporter in PRECISIONS]
    marks = {True: pytest.mark.thorough, False: pytest.mark.slow}
    return [
        pytest.param(entry, exporter, marks=marks[(entry.name, exporter) in QUICK], id=f"{entry.name}-{exporter}")
        for entry, exporter in chosen
    ]


@pytest.mark.parametrize("architecture, exporter", every())
def test_a_cell_is_within_its_limit_or_says_why(architecture: Any, exporter: str, tmp_path: Path) -> None:
    made = list(cells(architecture, tmp_path / "network", [exporter]))
    assert len(made) == len(architecture.tasks) * len(PRECISIONS[exporter])
    for cell in made:
        refused = cell["error"] is None and cell["said"] and not cell["said"].startswith("UNTYPED")
        assert within(cell) or (refused and (architecture.name, exporter) not in QUICK), cell
