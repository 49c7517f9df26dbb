"""Every android bundle on emulated processors of phones, as the table of docs/phones.md.

    .venv/bin/python tests/peers/emulated_phones.py --work build/phones --calibration ../shared/data/imagenet-sample

Exports and verifies each model with weights in every format and precision that android takes. What was verified stays
in the folder and is not done again; remove a .json there to have it anew. Hours on two cores: whisper-base is most of
it. Fidelity: emulated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from helpers.devices.android_cells import cells

import edgekit
from edgekit.errors import EdgekitError
from edgekit.registry import find

PROCESSORS = ("cortex-a53", "cortex-a76")
HEAD = """\
| bundle | part | arithmetic | away from here: A53, A76 | steps | away from fp32: here, A53, A76 | memory at most |
|---|---|---|---|---|---|---|"""


def verified(work: Path, cell: tuple[str, str, str], calibration: str | None) -> Mapping[str, Any]:
    """What `verify` said of the bundle, or ``{"refused": why}``; made where it is not in the folder yet."""
    place = work / "-".join(cell)
    kept = place.with_suffix(".json")
    if kept.exists():
        return json.loads(kept.read_bytes())  # type: ignore[no-any-return]
    model, exporter, precision = cell
    try:
        photos = (
            calibration if precision == "int8" and find("models", model).task.name == "image-classification" else None
        )
        edgekit.export(
            model, "android", runtime=exporter, precision=precision, out=place, calibration=photos, fallback=False
        )
        proof = edgekit.verify(place)
        found = {"parity": proof["parity"], "device": proof["device"]}
    except EdgekitError as exc:
        found = {"refused": exc.message}
    kept.write_text(json.dumps(found, indent=1))
    return found


def rows(cell: tuple[str, str, str], found: Mapping[str, Any]) -> Iterator[str]:
    """A line of the table for every part; for frontends only where they are not as good as equal."""
    bundle = " ".join(cell)
    device = found.get("device", {})
    if "parts" not in device:
        yield f"| {bundle} | | | {found.get('refused') or device.get('not measured', 'not measured')} | | | |"
        return
    for name, part in device["parts"].items():
        there = [part[one] for one in PROCESSORS]
        if name == "frontend" and len(device["parts"]) > 1 and max(one["here"] for one in there) < 1e-5:
            continue
        here = ", ".join(dict.fromkeys(short(one["here"]) for one in there))
        steps = f"{max(one['steps'] for one in there):.2g}"
        fp32 = ", ".join(short(one) for one in (found["parity"][name], *(one["fp32"] for one in there)))
        greedy = "".join(
            f"; {one['greedy']['same']} of {one['greedy']['positions']}" for one in there if "greedy" in one
        )
        memory = f"{device['memory_at_most'] / 1e6:.0f} MB"
        yield f"| {' | '.join([bundle, name, part['arithmetic'], here + greedy, steps, fp32, memory])} |"


def short(error: float) -> str:
    """A relative error as people read it."""
    if error >= 1e-3:
        return f"{error:.2%}".replace("%", " %")
    return f"{error:.1e}".replace("e-0", "e-") if error else "0"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="only these")
    parser.add_argument("--work", type=Path, default=Path("build/phones"))
    parser.add_argument("--calibration", help="a folder of photos, for int8 of what sees")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(HEAD)
    for cell in cells():
        if options.models and cell[0] not in options.models:
            continue
        for row in rows(cell, verified(options.work, cell, options.calibration)):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
