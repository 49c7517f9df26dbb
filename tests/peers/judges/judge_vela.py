"""Arm's compiler for Ethos-U processors: what of a firmware's network it places, and its own estimate of cycles."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from asked import Question, questions, tell

NAME = "Vela"
WHAT = "Arm's compiler ethos-u-vela {version} for an Ethos-U55 with 128 multipliers. It estimates, and computes nothing"
FORMS = ("cortex-m55",)
FILES = (".tflite",)
TIMEOUT = 300
PYTHON = ".venv-vela"
PACKAGE = "ethos-u-vela"

_OPTIONS = (
    "--accelerator-config ethos-u55-128 --config Arm/vela.ini --system-config Ethos_U55_High_End_Embedded "
    "--memory-mode Shared_Sram --optimise Performance"
)
_FIGURES = ("cycles_total", "sram_memory_used", "off_chip_flash_memory_used")
VERSION = version("ethos-u-vela")


def operators(file: Path) -> list[str]:
    """Names of those of every subgraph; what Vela places is one operator "ethos-u"."""
    from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
    from ethosu.vela.tflite.Model import Model

    names = {number: name for name, number in vars(BuiltinOperator).items()}
    model = Model.GetRootAs(file.read_bytes(), 0)
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    used = [graph.Operators(i).OpcodeIndex() for graph in graphs for i in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(i) for i in used]
    return [(code.CustomCode() or b"").decode() or str(names[code.BuiltinCode()]) for code in codes]


def ask(question: Question, folder: str) -> None:
    command = [str(Path(sys.executable).with_name("vela")), str(question.file), *_OPTIONS.split()]
    done = subprocess.run([*command, "--output-dir", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        tell(question, VERSION, reason=f"Vela refuses it: {said[-1][:200]}")
        return
    (summary,) = Path(folder).glob("*summary*.csv")
    with summary.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    whole = operators(question.file)
    left = [name for name in operators(Path(folder) / f"{question.file.stem}_vela.tflite") if name != "ethos-u"]
    cycles, sram, flash = (float(row[name]) for name in _FIGURES)
    rest = f" of operators (not: {', '.join(sorted(set(left)))})" if left else ""
    share = f"{1 - len(left) / len(whole):.0%}".replace("%", " %")
    placed = f"placed {share}{rest}, about {cycles:,.0f} cycles (Vela's estimate), not computed"
    detail = f"{len(left)} of {len(whole)} operators left; {sram:.1f} KiB of SRAM, {flash:.1f} KiB of flash"
    tell(question, VERSION, placed=placed, detail=detail)


if __name__ == "__main__":
    for question in questions():
        with tempfile.TemporaryDirectory() as folder:
            ask(question, folder)
