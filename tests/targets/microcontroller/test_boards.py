"""Processor classes and boards: budgets, refusals, and names that are mistyped."""

from __future__ import annotations

import pytest

from edgekit.core import Board, Target
from edgekit.errors import BadInput, UnknownName
from edgekit.registry import find, names
from edgekit.targets.microcontroller.boards import BOARDS
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES
from edgekit.targets.microcontroller.family import target
from edgekit.targets.microcontroller.firmware import SOURCES, processors


@pytest.mark.parametrize("name", MACHINES)
def test_every_processor_is_a_target_with_budgets_boards_and_a_device(name: str) -> None:
    found: Target = find("targets", name)
    assert found.name == name
    assert found.device == "qemu"
    assert found.flash and found.ram and found.flash > found.ram
    assert found.boards
    assert found.pack and found.prove and found.measure
    assert found.recipes["*"].runtime == "qemu"


def test_the_processors_are_the_same_in_python_and_in_the_project() -> None:
    assert processors() == sorted(MACHINES)
    project = (SOURCES / "CMakeLists.txt").read_text()
    for name, machine in MACHINES.items():
        assert f"{name}={machine.board}" in project
        assert all((SOURCES / "boards" / f"{machine.board}.{kind}").is_file() for kind in ("ld", "flags", "qemu"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.name))
def test_boards_are_plausible_and_belong_to_a_target(board: Board) -> None:
    assert board.processor in names("targets")
    assert 16 * 1024 <= board.ram <= 16 * 2**20
    assert 64 * 1024 <= board.flash <= 16 * 2**20
    assert 10e6 <= board.clock <= 1e9
    assert 0.5 <= board.cycles[0] < board.cycles[1] <= 3
    assert "Cycles" in board.note


def test_board_names_are_unique() -> None:
    assert len({board.name for board in BOARDS}) == len(BOARDS)


def test_a_mistyped_board_gets_a_suggestion() -> None:
    boards = find("targets", "cortex-m4").boards
    assert "nucleo-l4r5zi" in str(UnknownName.of("board", "nucleo-l4r5", boards))


@pytest.mark.parametrize("flash, ram", [(0, 1024), (1024, 0), (-1, 1024)])
def test_budgets_of_nothing_are_refused(flash: int, ram: int) -> None:
    with pytest.raises(BadInput, match="more than 0 bytes"):
        target("cortex-m4", processor="", layout="dsp", flash=flash, ram=ram)


@pytest.mark.parametrize("task", ["automatic-speech-recognition", "text-generation", "text-to-image"])
def test_what_makes_no_sense_is_refused_in_words(task: str) -> None:
    sentence = find("targets", "cortex-m4").refuses[task]
    assert "kilobytes" in sentence and sentence.endswith(".")
