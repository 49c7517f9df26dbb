"""Times of products by form: measured once for a class of shapes, kept in a file, scaled to the shape."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.quantization.latencies import Latencies, Shape

#: Seconds of a call.
TIMES = {"slow": 0.004, "fast": 0.001}


def table(folder: Path, made: list[str], runtime: str = "runtime 1") -> Latencies:
    def prepared(form: str, shape: Shape) -> Callable[[], object]:
        made.append(f"{form} {shape}")
        return lambda: time.sleep(TIMES[form])

    return Latencies(runtime, prepared, folder)


@pytest.mark.parametrize(
    ("size", "near"), [(1, 1), (2, 2), (3, 3), (5, 4), (7, 6), (750, 768), (1500, 1536), (1700, 1536), (1900, 2048)]
)
def test_sides_are_rounded_to_a_class(size: int, near: int) -> None:
    assert Shape(size, 1, 512).kind == Shape(near, 1, 512)


def test_what_was_measured_is_kept_and_scaled(tmp_path: Path) -> None:
    made: list[str] = []
    first = table(tmp_path, made).seconds(Shape(750, 64, 64), ["slow", "fast"])
    assert made == ["slow 768x64x64", "fast 768x64x64"]
    assert first["slow"] > 2 * first["fast"] >= 2 * TIMES["fast"] * 750 / 768
    again = table(tmp_path, made).seconds(Shape(800, 64, 64), ["fast"])
    assert len(made) == 2 and again["fast"] == pytest.approx(first["fast"] * 800 / 750)


def test_forms_are_compared_within_one_run(tmp_path: Path) -> None:
    made: list[str] = []
    table(tmp_path, made).seconds(Shape(4, 4, 4), ["slow"])
    table(tmp_path, made).seconds(Shape(4, 4, 4), ["slow", "fast"])
    assert made == ["slow 4x4x4", "slow 4x4x4", "fast 4x4x4"]


def test_a_cache_that_cannot_be_written_costs_a_measurement_and_nothing_else(tmp_path: Path) -> None:
    made: list[str] = []
    (tmp_path / "file").write_text("no folder")
    for count in (1, 2):
        assert table(tmp_path / "file", made).seconds(Shape(4, 4, 4), ["fast"])["fast"] >= TIMES["fast"]
        assert len(made) == count


def test_another_runtime_has_a_table_of_its_own(tmp_path: Path) -> None:
    made: list[str] = []
    for version in ("runtime 1", "runtime 2"):
        table(tmp_path, made, version).seconds(Shape(4, 4, 4), ["fast"])
    assert len(made) == len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"seconds": {"4x4x4": 1}}', '{"seconds": {"4x4x4": {"fast": -1}}}'])
def test_a_damaged_table_is_measured_again(content: str, tmp_path: Path) -> None:
    made: list[str] = []
    known = table(tmp_path, made)
    known.file.write_text(content)
    assert known.seconds(Shape(4, 4, 4), ["fast"])["fast"] >= TIMES["fast"]
    assert made and json.loads(known.file.read_text())["of"]["runtime"] == "runtime 1"
