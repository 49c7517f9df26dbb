"""Models beside neural processors, by their vendors' own software, into docs/accelerators.md.

Every cell is an export: what it places, how far it is from the processor and from fp32, which layer went wrong where a
recipe was refused. A finished cell is kept in ``--work`` and not made again. Hours at first; the machine need not be
quiet, for nothing is timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "judges"))
from page import MODELS

#: Column -> (options of the export, names of the models; none: all).
ROADS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "Qualcomm HTP, SM8650": (("--board", "sm8650"), ()),
    "Arm Ethos-U55-128": (("--board", "u55-128"), ("ds-cnn-kws", "mobilenet-v1-025-vww", "okay-nabu")),
    "Core AI fp32": (("--target", "ios", "--runtime", "coreai", "--precision", "fp32"), ()),
    "Core AI fp16": (("--target", "ios", "--runtime", "coreai", "--precision", "fp16"), ()),
    "Core AI int8": (("--target", "ios", "--runtime", "coreai", "--precision", "int8"), ()),
}
#: Models whose integers were not asked on Qualcomm's simulator, for it computes too long; and what their command has.
NARROW: Mapping[str, Sequence[str]] = {
    "whisper-base": ("--precision", "fp16", "--download", "1GB"),
    "whisper-tiny-en": ("--precision", "fp16"),
    "hand-landmarks": ("--precision", "fp16"),
    "pp-ocr-v4": ("--precision", "fp16"),
}
_EDGEKIT = "import sys; from edgekit.cli.command import main; sys.exit(main(sys.argv[1:]))"
BEGIN, END = "<!-- table: made by tests/peers/compare_accelerators.py -->\n", "<!-- end of the table -->\n"


def export(model: str, options: Sequence[str], place: Path, seconds: float) -> dict[str, Any]:
    """The summary of an export, or ``{"refused": why}``."""
    saved = place.with_suffix(".json")
    if saved.is_file():
        return dict(json.loads(saved.read_text(encoding="utf-8")))
    place.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _EDGEKIT, "export", model, *options, "--out", str(place), "--force", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        told = json.loads(done.stdout) if done.returncode == 0 else {"refused": _error(done.stderr)}
    except subprocess.TimeoutExpired:
        told = {"refused": f"not finished in {seconds / 60:.0f} minutes"}
    saved.write_text(json.dumps(told), encoding="utf-8")
    return dict(told)


def _error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if line.startswith("edgekit: ")]
    return lines[errors[-1]].removeprefix("edgekit: ") if errors else (lines or ["nothing said"])[-1]


def cell(told: Mapping[str, Any]) -> str:
    """What a summary says, as Markdown."""
    if "refused" in told:
        return f"refused: {told['refused']}"
    recipe = told["recipe"]
    wide = ", 16-bit activations" if recipe["options"].get("activations") == 16 else ""
    lines = [f"{recipe['precision']}{wide}", *(_part(*item) for item in told["placement"].items())]
    if not told["placement"]:
        lines += [f"{part}: {_decibels(error)} from fp32" for part, error in told["parity"].items()]
    agreement = (told["evidence"] or {}).get("agreement", {})
    if agreement.get("of"):
        lines.append(f"answers: {agreement['same']} of {agreement['of']} fp32's")
    return "<br>".join(lines)


def _part(name: str, placement: Mapping[str, Any]) -> str:
    if placement["verdict"] == "leave it off":
        return f"{name}: **leave it off**: {placement['why']}"
    share, proof = placement["multiplications"], placement["proof"]
    placed = (
        f"{share:.1%} of the multiplications" if share is not None else f"{placement['weights']:.0%} of the weights"
    )
    pieces = f", {placement['pieces']} pieces" if placement["pieces"] > 1 else ""
    if proof is None:
        return f"{name}: {placed}{pieces}; right: not measured; {placement['cost'] or 'cost not measured'}"
    return (
        f"{name}: {placed}{pieces}; {proof['cpu']:.0f} dB from the CPU; {proof['fp32']:.0f} from fp32 "
        f"(CPU {proof['cpu_fp32']:.0f})"
    )


def _decibels(error: float | None) -> str:
    from edgekit.numerics.parity import decibels

    return "not measured" if error is None else f"{decibels(error):.0f} dB"


def rows(work: Path, models: Sequence[str], seconds: float, only: str) -> Iterator[str]:
    """The lines of the table."""
    roads = [name for name in ROADS if only in name]
    yield f"| model | {' | '.join(ROADS)} |"
    yield "|---" * (1 + len(ROADS)) + "|"
    for model in models:
        cells = []
        for i, (name, (options, some)) in enumerate(ROADS.items()):
            place = work / f"{model}-{i}"
            asked = (not some or model in some) and (name in roads or place.with_suffix(".json").is_file())
            options = (*options, *(NARROW.get(model, ()) if "Qualcomm" in name else ()))
            cells.append(cell(export(model, options, place, seconds)) if asked else "not asked")
            print(f"{model}, {name}: {cells[-1]}".replace("<br>", "\n  "), file=sys.stderr, flush=True)
        yield f"| {model} | {' | '.join(text.replace('|', '/') for text in cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, help="the page whose table is replaced")
    parser.add_argument("--work", type=Path, default=Path("build/accelerators"))
    parser.add_argument("--minutes", type=float, default=30.0, help="limit of an export")
    parser.add_argument("--only", default="", help="columns with this in their names; the others as they were kept")
    parser.add_argument("models", nargs="*", default=MODELS)
    given = parser.parse_args()
    table = "\n".join(rows(given.work, given.models, 60 * given.minutes, given.only)) + "\n"
    if given.markdown is None:
        print(table)
        return
    page = given.markdown.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    given.markdown.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
