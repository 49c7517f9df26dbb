"""Arm's compiler for Ethos-U processors: what of a firmware's network it places, and its own estimate of cycles."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from asked import Question, questions, tell

PACKAGE = "ethos-u-vela"

_OPTIONS = (
    "--accelerator-config ethos-u55-128 --config Arm/vela.ini --system-config Ethos_U55_High_End_Embedded "
    "--memory-mode Shared_Sram --optimise Performance"
)


def ask(question: Question, folder: str) -> None:
    command = [str(Path(sys.executable).with_name("vela")), str(question.file), *_OPTIONS.split()]
    done = subprocess.run([*command, "--output-dir", folder], capture_output=True, text=True, check=False)
    share = re.search(r"NPU operators = \d+ \((\S+)%\)", done.stdout)
    if done.returncode or not share:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        tell(question, version(PACKAGE), reason=f"Vela refuses it: {said[-1][:200]}")
        return
    (row,) = csv.DictReader(next(Path(folder).glob("*summary*.csv")).read_text(encoding="utf-8").splitlines())
    cycles = f"about {float(row['cycles_total']):,.0f} cycles (Vela's estimate), not computed"
    flash = float(row["off_chip_flash_memory_used"])
    detail = f"{float(row['sram_memory_used']):.1f} KiB of SRAM, {flash:.1f} KiB of flash"
    tell(question, version(PACKAGE), placed=f"placed {share[1]}% of operators, {cycles}", detail=detail)


if __name__ == "__main__":
    for question in questions():
        with tempfile.TemporaryDirectory() as folder:
            ask(question, folder)
