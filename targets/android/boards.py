"""Chips of phones whose neural processor edgekit compiles for, as data."""

from __future__ import annotations

from edgekit.core import Board

_SOURCE = (
    "Its number at Qualcomm's libraries: as ExecuTorch's table has it (backends/qualcomm/serialization/qc_schema.py)."
)

#: Name -> chip: Snapdragon 8 Gen 1, Gen 2, Gen 3, Elite, Elite Gen 5.
BOARDS = {
    name: Board(name, "android", _SOURCE, runtime="qnn", unit=unit)
    for name, unit in (("sm8450", "36"), ("sm8550", "43"), ("sm8650", "57"), ("sm8750", "69"), ("sm8850", "87"))
}
