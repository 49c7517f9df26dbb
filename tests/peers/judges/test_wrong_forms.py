"""Forms that a judge computes wrongly are still wrong in the way that their table tells, and their repairs are right."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peers
HERE = Path(__file__).parent
PYTHON = HERE.parents[2] / ".venv-qnn" / "bin" / "python"
ROWS = [
    re.split(r" *\| *", line)[1:-1] for line in (HERE / "wrong_forms.md").read_text().splitlines() if line[:3] == "| `"
]


@pytest.fixture(scope="module")
def simulated() -> Any:
    """What the simulator of each chip says of each form, and of its repair."""
    if not PYTHON.exists():
        pytest.skip("Qualcomm's simulator is not installed: make .venv-qnn/.installed")
    chips = sorted({chip for row in ROWS for chip in re.findall(r"SM\d+", row[3] + row[4])})
    command = [str(PYTHON), str(HERE / "wrong_forms.py"), *chips]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def test_the_table_has_every_form(simulated: Any) -> None:
    assert [row[0].strip("`") for row in ROWS] == list(simulated["found"])


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_a_form_is_wrong_as_told(row: list[str], simulated: Any) -> None:
    form, _, judge, wrong, right, seen, repair = row
    asked, repaired = simulated["found"][form.strip("`")]
    assert judge.split()[-1] == simulated["version"]
    for chip in re.findall(r"SM\d+", wrong):
        assert asked[chip] == pytest.approx(decibels(seen), abs=1)
    for chip in re.findall(r"SM\d+", right):
        assert asked[chip] > 40
    assert min(repaired.values()) > 40
    assert max(repaired.values()) == pytest.approx(decibels(repair), abs=1)


def decibels(cell: str) -> float:
    found = re.search(r"(-?[\d.]+) dB", cell)
    assert found, cell
    return float(found[1])
