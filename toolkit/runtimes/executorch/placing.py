"""What of a program XNNPACK computes: its graphs in the file are the pieces, all else is portable operators."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from edgekit.core import Artifact, Placement, share_of
from edgekit.formats.executorch import reader
from edgekit.formats.executorch.work import PRODUCTS


def place_part(artifact: Artifact, folder: Path) -> Artifact:
    """`artifact` with its placement. Its census names the operators that XNNPACK did not take, and their layers."""
    program = reader.read((folder / artifact.file).read_bytes())
    inside = sum(delegate.multiplications for delegate in program.delegates)
    held = sum(sum(delegate.constants.values()) for delegate in program.delegates)
    left: dict[str, list[str]] = {}
    fallback = artifact.census["fallback"]
    for operator in sorted(fallback, key=lambda name: name.partition(".")[0] not in PRODUCTS):  # those come first
        for layer in fallback[operator]:
            left.setdefault(layer, []).append(operator)
    return Placement(
        unit="XNNPACK",
        by=f"executorch {version('executorch')}",
        fidelity="counted",
        multiplications=share_of(inside, inside + program.multiplications),
        weights=share_of(held, held + program.weights),
        pieces=len(program.delegates),
        left={layer: f"{', '.join(operators)} is not taken in this form" for layer, operators in left.items()},
    ).note_in(artifact)
