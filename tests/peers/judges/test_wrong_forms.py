"""Forms that a judge computes wrongly are still wrong as wrong_forms.md tells, and their repairs are right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from edgekit.runtimes.qnn.forms import FORMS

sys.path.insert(0, str(Path(__file__).parent))

import asked

pytestmark = pytest.mark.peers
HERE = Path(__file__).parent
TABLE = (HERE / "wrong_forms.md").read_text(encoding="utf-8")
ROWS = {line.split("`")[1]: re.split(r" *\| *", line)[3:-1] for line in TABLE.splitlines() if line.startswith("| `")}


@pytest.mark.parametrize("form", sorted(FORMS.keys() | ROWS.keys()))
def test_a_form_is_wrong_as_told(form: str, tmp_path: Path) -> None:
    if find_spec("onnxruntime_qnn") is None:
        pytest.skip("Qualcomm's simulator is not installed: make accelerator-tools")
    judge, wrong, right, seen, repair = ROWS[form]
    wrongs, rights = re.findall(r"SM\d+", wrong), re.findall(r"SM\d+", right)
    for repaired in (False, True):
        answers = ask(*FORMS[form](repaired), [*wrongs, *rights], tmp_path / str(repaired))
        assert {answer["version"] for answer in answers} == {judge.split()[-1]}
        assert not {answer["reason"] for answer in answers} - {""}
        found = [150 if answer["dB"] is None else answer["dB"] for answer in answers]
        assert min(found[0 if repaired else len(wrongs) :], default=150) > 40
        assert found[0] == pytest.approx(decibels(repair if repaired else seen), abs=1.5)
        assert repaired or max(found[: len(wrongs)]) < 20


def ask(x: Any, model: onnx.ModelProto, chips: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """What the simulator of each chip says."""
    folder.mkdir()
    onnx.save(model, folder / "form.onnx")
    out = onnxruntime.InferenceSession(folder / "form.onnx").run(None, {"x": x})[0]
    facts = {"file": str(folder / "form.onnx"), "exporter": "onnx", "precision": "fp32"}
    for chip in chips:
        (folder / chip).mkdir()
        asked.write(folder / chip, facts | {"chip": chip}, {"in": [{"x": x}], "out": [{"y": out}]})
    command = [sys.executable, str(HERE / "qnn.py"), "qualcomm", *(str(folder / chip) for chip in chips)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def decibels(cell: str) -> float:
    return float((re.search(r"(-?[\d.]+) dB", cell) or [""])[1])
