"""Every android bundle of every model with weights, on emulated processors: float as here, fixed ranges to a step."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.devices.android_cells import Cell, cells

import edgekit
from edgekit.errors import EdgekitError, FetchFailed
from edgekit.targets.android.arm64 import emulated
from edgekit.targets.common import agreement

#: What is run wherever tests of real weights are; the others, up to an hour each, are slow.
SMALL = {
    ("ds-cnn-kws", "onnxruntime", "fp32"),
    ("ds-cnn-kws", "onnxruntime", "int8"),
    ("ds-cnn-kws", "litert", "fp32"),
    ("ds-cnn-kws", "litert", "int8"),
    ("efficientnet-lite0", "onnxruntime", "int8"),
    ("mobilenet-v1-025-vww", "onnxruntime", "fp32"),
    ("mobilenet-v1-025-vww", "litert", "fp16"),
    ("okay-nabu", "litert", "int8"),
}
#: What an export refuses -> why. The files of these wake words are int8 as their makers ship them.
REFUSED = {
    **{
        (name, "litert", precision): f"is int8; it cannot become {precision}"
        for name in ("alexa", "hey-jarvis", "hey-mycroft", "okay-nabu")
        for precision in ("fp32", "fp16")
    },
    ("ge2e-speaker", "litert", "int8"): "away from the fp32 reference",
}
#: Whose weights are at a hub alone.
AT_A_HUB = {"whisper-tiny"}
CELLS = [pytest.param(cell, marks=pytest.mark.real if cell in SMALL else pytest.mark.slow) for cell in cells()]


def test_the_small_ones_are_among_all() -> None:
    assert set(cells()) >= SMALL
    assert set(cells()) >= REFUSED.keys() and not SMALL & REFUSED.keys()
    assert {name for name, _, _ in cells()} >= AT_A_HUB and not {name for name, _, _ in SMALL} & AT_A_HUB


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_bundle_gives_the_same_answers_there(cell: Cell, tmp_path: Path, shared_data: Path) -> None:
    name, runtime, precision = cell
    photos = shared_data / "imagenet-sample" if name == "efficientnet-lite0" and precision == "int8" else None
    options: dict[str, Any] = {"runtime": runtime, "precision": precision, "fallback": False, "evidence": False}
    try:
        with pytest.raises(EdgekitError, match=REFUSED[cell]) if cell in REFUSED else contextlib.nullcontext():
            edgekit.export(name, "android", out=tmp_path / "bundle", calibration=photos, **options)
    except FetchFailed as exc:
        if name not in AT_A_HUB:
            raise
        pytest.skip(exc.message)
    if cell in REFUSED:
        return
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
