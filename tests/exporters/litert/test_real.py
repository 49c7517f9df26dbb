"""EfficientNet-Lite0 as LiteRT, from real weights."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

import edgekit

# --- real weights ----------------------------------------------------------------------------------------------------

PARAMETERS = 4_652_008


def split(data: Path, folder: Path) -> tuple[Path, Path]:
    """Data folders of the shared photos: every fifth to calibrate with, the others to test on."""
    with (data / "imagenet-sample" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, chosen in (("calibration", rows[::5]), ("test", [row for i, row in enumerate(rows) if i % 5])):
        (folder / name / "images").mkdir(parents=True)
        for row in chosen:
            shutil.copyfile(data / "imagenet-sample" / "images" / row["file"], folder / name / "images" / row["file"])
        with (folder / name / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [("file", "class_index"), *((row["file"], row["class_index"]) for row in chosen)]
            )
    return folder / "calibration", folder / "test"


@pytest.mark.slow
def test_efficientnet(tmp_path: Path, shared_data: Path) -> None:
    """The published weights through the whole pipeline."""
    calibration, data = split(shared_data, tmp_path)
    found = {}
    for precision in ("fp32", "int8"):
        bundle = edgekit.export(
            "efficientnet-lite0", "laptop", runtime="litert", precision=precision, calibration=calibration,
            out=tmp_path / precision, fallback=False, evidence=False,
        )  # fmt: skip
        part = bundle.manifest.parts[0]
        top1 = edgekit.verify(bundle.path, data=data)["gate"].value
        found[precision] = (top1, (bundle.path / part.file).stat().st_size, part.census)
    assert found["fp32"][0] > 0.87
    top1, size, census = found["int8"]
    assert top1 >= found["fp32"][0] - 0.007
    assert size < 1.07 * PARAMETERS  # a scale and an int64 zero point for every channel, of weights and of biases
    assert census["transposes"] == 0
    # The one cast is of the pixels, which come as uint8.
    assert (census["weighted_int8"], census["float_layers"], census["float_operators"]) == (50, [], ["CAST"])
