"""Vela's files: what they say is counted, what it leaves is named, and what it refuses or breaks ends in a line.

Arm's compiler is asked: `make accelerator-tools` installs it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.absence import skip_without
from helpers.cases.tflite_models import Case, product, torn

from edgekit.bundles.places import placement_of
from edgekit.core import Artifact, Lowering, Part
from edgekit.errors import ExportFailed, MissingExtra
from edgekit.formats import tflite
from edgekit.registry import find
from edgekit.runtimes.ethos_u import RUNTIME, compiling

skip_without("ethosu", "Arm's compiler is", "accelerator-tools")

TARGET = find("targets", "cortex-m55")
BOARD = TARGET.boards["u55-128"]
ABOUT = Lowering(Part("network", (), (), {}, None), BOARD, ())
#: 31 x 31 x 64 x 3 x 3 x 32 multiplications: enough that the unit is faster whatever the processor does.
LARGE = product(Case(seed=3, height=31, width=31, channels=32, outputs=64, kernel=(3, 3)), "CONV_2D")
SMALL = product(Case(seed=3, height=1, width=1, channels=1, outputs=1), "CONV_2D")


def write(folder: Path, content: bytes) -> Artifact:
    (folder / "src").mkdir()
    (folder / "src" / "network.tflite").write_bytes(content)
    return Artifact("network", "src/network.c", {"weights": 1000, "arena": 2000})


def test_a_whole_network_is_one_piece(tmp_path: Path) -> None:
    placement = placement_of(RUNTIME.lower(write(tmp_path, LARGE), tmp_path, ABOUT).census)
    assert placement is not None
    assert (placement.unit, placement.fidelity, placement.pieces) == ("Ethos-U55-128", "estimated", 1)
    assert (placement.multiplications, placement.weights, placement.left) == (1.0, 1.0, {})
    assert placement.by.startswith("ethos-u-vela 5.") and "Vela's estimate" in placement.cost
    assert placement.verdict == "on the unit" and placement.proof is None
    assert placement.files == ["ethos-u/network.tflite"]
    [operator] = tflite.read((tmp_path / placement.files[0]).read_bytes()).subgraphs[0].operators
    assert operator.name == "CUSTOM:ethos-u"


def test_a_small_network_is_left_off_and_nothing_is_shipped(tmp_path: Path) -> None:
    placement = placement_of(RUNTIME.lower(write(tmp_path, SMALL), tmp_path, ABOUT).census)
    assert placement is not None
    assert placement.verdict == "leave it off" and "not fewer than" in placement.why
    assert not placement.files and not (tmp_path / "ethos-u").exists()


def test_what_stays_is_named_and_counted(tmp_path: Path) -> None:
    """An operator without a place on the unit between two convolutions: two pieces, whose work is all of it."""
    content = torn()
    placement = placement_of(RUNTIME.lower(write(tmp_path, content), tmp_path, ABOUT).census)
    assert placement is not None
    assert placement.multiplications == 1.0 and placement.pieces == 2
    [(name, why)] = placement.left.items()
    assert name.endswith("gathered") and "GATHER_ND" in why


def test_a_frontend_has_no_network(tmp_path: Path) -> None:
    artifact = Artifact("frontend", "src/frontend.c", {})
    assert RUNTIME.lower(artifact, tmp_path, ABOUT) is artifact


@pytest.mark.parametrize("board", [name for name, board in TARGET.boards.items() if board.runtime])
def test_every_unit_that_vela_knows(tmp_path: Path, board: str) -> None:
    about = replace(ABOUT, board=TARGET.boards[board])
    placement = placement_of(RUNTIME.lower(write(tmp_path, LARGE), tmp_path, about).census)
    assert placement is not None and placement.unit == TARGET.boards[board].unit and placement.multiplications == 1.0


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    write(tmp_path, LARGE)
    made = [compiling.compile_file(tmp_path / "src" / "network.tflite", BOARD.unit).content for _ in range(2)]
    assert made[0] == made[1]


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_what_vela_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"Vela refuses network\.tflite: .+"):
        RUNTIME.lower(write(tmp_path, b"no flatbuffer at all"), tmp_path, ABOUT)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import time; time.sleep(60)", "did not compile network.tflite within 1 s"),
        ("import os; os.abort()", "Vela refuses network.tflite: it says nothing"),
        ("pass", "wrote no network_vela.tflite"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[-1] + '/network_vela.tflite')", "wrote no network_vela"),
        (
            "import sys; open(sys.argv[-1] + '/network_vela.tflite', 'wb').write(b'x' * (6 << 20))",
            "of at most",
        ),
    ],
)
def test_a_compiler_that_misbehaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str) -> None:
    script = tmp_path / "vela"
    script.write_text(f"#!{sys.executable}\n{program}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(compiling.sys, "executable", str(script))
    monkeypatch.setattr(compiling, "_SECONDS", 1)
    with pytest.raises(ExportFailed, match=said):
        RUNTIME.lower(write(tmp_path, SMALL), tmp_path, ABOUT)


def test_a_summary_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = compiling.read_output

    def spoil(file: Path, most: int) -> bytes:
        return b"cycles_total\nmany" if file.suffix == ".csv" else read(file, most)

    monkeypatch.setattr(compiling, "read_output", spoil)
    with pytest.raises(ExportFailed, match=r"summary of network\.tflite cannot be read"):
        RUNTIME.lower(write(tmp_path, SMALL), tmp_path, ABOUT)


def test_without_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ethosu", None)
    with pytest.raises(MissingExtra, match="Compiling for an Ethos-U") as caught:
        RUNTIME.require()
    assert "ethos-u" in caught.value.hint


def test_boards_take_the_budgets_of_the_target() -> None:
    units: list[Any] = [board for board in TARGET.boards.values() if board.runtime == RUNTIME.name]
    assert len(units) == 11 and all(board.flash is None and "Vela" in board.note for board in units)
