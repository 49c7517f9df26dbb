"""A part that cannot be run on this machine: the bundle is written, its structure checked, and no figure is made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit

WHY = "network is not run here: the operator warp of y is not interpreted"


@pytest.fixture
def unable(monkeypatch: pytest.MonkeyPatch) -> None:
    load = toy_model.ToyRuntime.load

    def structural(self: Any, file: Path, threads: int) -> Any:
        runner = load(self, file, threads)
        if file.stem == "network":
            runner.unable = "the operator warp of y is not interpreted"
        return runner

    monkeypatch.setattr(toy_model.ToyRuntime, "load", structural)


@pytest.mark.usefixtures("unable")
def test_a_bundle_says_that_it_was_not_run(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "made", data=str(toy.data))
    assert [part.parity for part in made.manifest.parts] == [None, None]
    census = made.manifest.parts[1].census
    assert census["fidelity"] == "structural"
    assert census["parity"] == f"not measured: {WHY}"
    assert (made.manifest.gate.verdict, made.manifest.gate.reason) == ("not measured", WHY)
    assert "| not measured |" in (made.path / "README.md").read_text()
    raw = json.loads((made.path / "manifest.json").read_bytes())
    assert [part["parity"] for part in raw["parts"]] == [None, None]


@pytest.mark.usefixtures("unable")
def test_verify_checks_its_structure_and_says_so(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "made")
    proof = edgekit.verify(made.path, data=toy.data)
    assert proof["parity"] == {"frontend": None, "network": None}
    assert (proof["gate"].verdict, proof["gate"].reason) == ("not measured", f"parity not measured: {WHY}")


@pytest.mark.usefixtures("unable")
def test_the_commands_show_no_figure(toy: Any, tmp_path: Path, do: Any) -> None:
    toy.export(tmp_path / "made")
    code, out, _ = do("verify", tmp_path / "made")
    assert code == 0
    assert "hashes and structure (nothing was run)" in out
    assert "not measured" in out and "not interpreted" in out
