"""Arm's compiler for Ethos-U processors: what of a firmware's network it places there, and its own estimate of cycles."""

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


def operators(file: Path) -> list[str]:
    """The operators of every subgraph: what is left of the network's own, and "ethos-u" for what was placed."""
    from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
    from ethosu.vela.tflite.Model import Model

    names = {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
    model = Model.GetRootAs(file.read_bytes(), 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    kinds = [(code.CustomCode() or b"").decode() or names[code.BuiltinCode()] for code in codes]
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    return [kinds[graph.Operators(i).OpcodeIndex()] for graph in graphs for i in range(graph.OperatorsLength())]


def ask(question: Question, folder: Path) -> dict[str, str]:
    program = Path(sys.executable).with_name("vela")
    command = [str(program), str(question.file), *_OPTIONS.split(), "--output-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"reason": f"Vela refuses it: {(done.stderr or done.stdout).strip().splitlines()[-1][:200]}"}
    (summary,) = folder.glob("*summary*.csv")
    with summary.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    whole = operators(question.file)
    left = [kind for kind in operators(folder / f"{question.file.stem}_vela.tflite") if kind != "ethos-u"]
    share, cycles = 1 - len(left) / len(whole), float(row["cycles_total"])
    memory = f"{float(row['sram_memory_used']):.1f} KiB of SRAM, {float(row['off_chip_flash_memory_used']):.1f} of flash"
    kinds = ", ".join(f"{left.count(kind)} {kind}" for kind in sorted(set(left)))
    rest = f", left to the processor: {kinds}" if left else ""
    placed = f"placed {share:.0%}, about {cycles:,.0f} cycles (Vela's estimate), not computed"
    return {"placed": placed.replace("%", " %"), "detail": f"{len(whole)} operators{rest}; {memory}"}


if __name__ == "__main__":
    for question in questions():
        with tempfile.TemporaryDirectory() as folder:
            tell(question, version("ethos-u-vela"), **ask(question, Path(folder)))
