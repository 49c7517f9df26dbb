"""Core ML bundles of real weights on real inputs, interpreted: every part's cosine with the fp32 reference.

A few inputs of what tests/peers/coreml_cosines.py measures on dozens (docs/ios.md has its table); none of them is an
input that int8 was calibrated on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.cases.cosines import cosines
from helpers.toys.references import references

import edgekit
from edgekit.bundles.opened import makers

pytestmark = pytest.mark.real

LEAST = {"fp16": 0.9999, "int8": 0.999}
#: Bytes a weight that int8 may take, scales and the graph included; of ds-cnn-kws and its 22,604 weights half is graph.
MOST = {"efficientnet-lite0": 1.07, "ecapa-tdnn": 1.06, "whisper-base": 1.05}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two that wait for one another on a busy machine take twenty times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def photos(data: Path, tmp_path: Path) -> tuple[list[Any], Path]:
    files = sorted((data / "imagenet-sample" / "images").iterdir())
    calibration = tmp_path / "photos"
    calibration.mkdir()
    for file in files[::5]:
        shutil.copyfile(file, calibration / file.name)
    return [str(file) for file in files[2::50]], calibration


def voices(data: Path, count: int) -> tuple[list[Any], Path]:
    files = sorted((data / "librispeech-test-other").rglob("*.flac"))
    return [str(file) for file in files[:: len(files) // count][:count]], data / "librispeech-train-clean"


def words(data: Path) -> tuple[list[Any], None]:
    return [str(file) for file in sorted((data / "mlperf-tiny-kws" / "features").iterdir())[::10]], None


@pytest.mark.parametrize("precision", LEAST)
@pytest.mark.parametrize(
    "model", ["efficientnet-lite0", "ecapa-tdnn", "ds-cnn-kws", pytest.param("whisper-base", marks=pytest.mark.slow)]
)
def test_cosines(shared_data: Path, tmp_path: Path, model: str, precision: str) -> None:
    if model == "efficientnet-lite0":
        inputs, calibration = photos(shared_data, tmp_path)
    elif model == "ds-cnn-kws":
        inputs, calibration = words(shared_data)
    else:
        inputs, calibration = voices(shared_data, 4)
    bundle = edgekit.export(
        model, "ios", precision=precision, out=tmp_path / "bundle", fallback=False, evidence=False,
        calibration=calibration if precision == "int8" else None,
    )  # fmt: skip
    serves = makers(bundle).model
    fp32 = references(serves)[0]
    found = {part: outputs for part, outputs in cosines(bundle, fp32, inputs).items() if outputs}
    assert sum(len(values) for outputs in found.values() for values in outputs.values()) >= len(inputs)
    for part in serves.network.parts:
        least = LEAST[precision] if part.quantize else LEAST["fp16"]
        for output, values in found.get(part.name, {}).items():
            assert min(values) >= least, (part.name, output)
    if precision == "int8" and model in MOST:
        large = [bundle.path / part.file for part in bundle.manifest.parts if part.name != "frontend"]
        size = sum(file.stat().st_size for place in large for file in place.rglob("*") if file.is_file())
        assert size <= MOST[model] * serves.network.parameters
