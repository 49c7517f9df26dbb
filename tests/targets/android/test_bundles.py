"""Every android bundle of every model with weights, on emulated processors: float as here, fixed ranges to a step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import absent
from helpers.devices.android_cells import Cell, cells

import edgekit
from edgekit.core import Model
from edgekit.errors import BadInput, ExportFailed, FetchFailed
from edgekit.registry import find
from edgekit.targets.android.arm64 import agreement, emulated

#: What is run wherever tests of real weights are; the others, up to an hour each, are slow.
SMALL = {
    ("ds-cnn-kws", "onnx", "fp32"),
    ("ds-cnn-kws", "onnx", "int8"),
    ("ds-cnn-kws", "litert", "fp32"),
    ("ds-cnn-kws", "litert", "int8"),
    ("efficientnet-lite0", "onnx", "int8"),
    ("mobilenet-v1-025-vww", "onnx", "fp32"),
    ("mobilenet-v1-025-vww", "litert", "fp16"),
    ("okay-nabu", "litert", "int8"),
}
CELLS = [pytest.param(cell, marks=pytest.mark.real if cell in SMALL else pytest.mark.slow) for cell in cells()]


def test_the_small_ones_are_among_all() -> None:
    assert set(cells()) >= SMALL


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_bundle_gives_the_same_answers_there(cell: Cell, tmp_path: Path, shared_data: Path) -> None:
    name, exporter, precision = cell
    model: Model = find("models", name)
    photos = shared_data / "imagenet-sample" if name == "efficientnet-lite0" and precision == "int8" else None
    try:
        edgekit.export(
            name,
            "android",
            exporter=exporter,
            precision=precision,
            out=tmp_path / "bundle",
            calibration=photos,
            fallback=False,
            evidence=False,
        )
    except (BadInput, ExportFailed, FetchFailed) as exc:
        assert cell not in SMALL
        pytest.skip(f"{model.name} is not made so: {exc.message}")
    device = edgekit.verify(tmp_path / "bundle")["device"]
    if "parts" not in device:
        (pytest.fail if os.environ.get("CI") else absent)(str(device))
    for part in device["parts"].values():
        for processor in emulated.PROCESSORS:
            off, how = part[processor], part["arithmetic"]
            if how in ("fp32", "fp16"):
                assert off["here"] <= agreement.LIMITS[how]
            if how == "static":
                assert off["steps"] <= 1
