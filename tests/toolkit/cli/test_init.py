"""`edgekit init` writes a file that exports as it is, whole or not at all, and replaces nothing unasked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.command import run
from edgekit.core import ImportOptions
from edgekit.importers.resolved import model_of


def test_the_file_is_a_model_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.py"
    assert run(["init", str(path)]) == 0
    model = model_of(str(path), ImportOptions(axes={"input_2": (32, 256)}))
    (part,) = model.network.parts
    assert part.inputs[0].shape == (1, 3, "input_2", 64)
    assert model.task.evidence is not None
    assert not model.task.evidence.synthetic
    assert model.task.evaluation is not None
    assert (model.task.evaluation.worst, model.task.evaluation.drop) == (0.8, 0.01)


def test_a_file_that_is_there_is_replaced_with_force_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text("mine", encoding="utf-8")
    assert run(["init", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
    assert run(["init", str(path), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path)}
    assert "def build()" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["mine.txt", "my-net.py", "mine", ".py"])
def test_a_name_that_is_no_module_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / name)]) == 2
    assert "not the name of a Python file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_the_file_becomes_int8_as_it_is(tmp_path: Path, do_json: Callable[..., tuple[int, Any]]) -> None:
    path = tmp_path / "mine.py"
    assert do_json("init", path)[0] == 0
    code, made = do_json("export", path, "--target", "android", "--out", tmp_path / "made")
    assert (code, made["recipe"]["precision"]) == (0, "int8")
    assert made["evidence"]["agreement"]["verdict"] in ("pass", "undecided")
    told = (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    assert "from a Python file, which was traced." in told
