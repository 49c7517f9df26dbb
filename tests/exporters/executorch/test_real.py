"""Real weights as int8 programs of ExecuTorch, on inputs that did not calibrate them: the labels of fp32."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.absence import skip_without
from helpers.toys.references import floats

import edgekit
from edgekit.core import Sample
from edgekit.registry import find
from edgekit.tasks.resolved import samples_of

pytestmark = pytest.mark.real

skip_without("executorch", "executorch is")

#: Photos that calibrate, of the 500; photos that are classified, none of them among the former. (Few: fp32 is torch's.)
CALIBRATION, PHOTOS = slice(0, 500, 25), slice(1, 500, 10)


def labels(predictor: object, samples: list[Sample]) -> list[str]:
    return [str(predictor.predict(sample.input).output) for sample in samples]  # type: ignore[attr-defined]


def right(found: list[str], samples: list[Sample]) -> int:
    return sum(label == sample.truth for label, sample in zip(found, samples, strict=True))


def agreement(one: list[str], other: list[str]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


@pytest.mark.slow  # most of four minutes of processor time are the export's
def test_photos_are_named_as_by_float(tmp_path: Path, shared_data: Path) -> None:
    listed = list(samples_of(find("models", "efficientnet-lite0"), shared_data / "imagenet-sample"))
    chosen = tmp_path / "photos"
    chosen.mkdir()
    for sample in listed[CALIBRATION]:
        (chosen / Path(sample.input).name).symlink_to(sample.input)
    bundle = edgekit.export(
        "efficientnet-lite0", "android", runtime="executorch", precision="int8", calibration=chosen,
        out=tmp_path / "int8", fallback=False, evidence=False, options={"ranges": "percentile"},
    )  # fmt: skip
    census = bundle.manifest.parts[0].census
    assert (census["weighted_int8"], census["weighted_float"]) == (50, 0)
    photos = listed[PHOTOS]
    found, wanted = (labels(one, photos) for one in (edgekit.load(bundle.path), floats("efficientnet-lite0")))
    assert right(wanted, photos) >= 0.8 * len(photos)
    assert right(found, photos) >= right(wanted, photos) - 2
    assert agreement(found, wanted) >= 0.9 * len(photos)


def test_words_are_heard_as_by_float(tmp_path: Path, shared_data: Path) -> None:
    bundle = edgekit.export(
        "ds-cnn-kws", "android", runtime="executorch", precision="int8", out=tmp_path / "int8", fallback=False
    )
    census = next(part for part in bundle.manifest.parts if part.name == "network").census
    assert census["weighted_float"] == 0
    words = list(samples_of(find("models", "ds-cnn-kws"), shared_data / "mlperf-tiny-kws"))
    found, wanted = (labels(one, words) for one in (edgekit.load(bundle.path), floats("ds-cnn-kws")))
    assert right(wanted, words) >= 0.9 * len(words)
    assert right(found, words) >= right(wanted, words) - 5
    assert agreement(found, wanted) >= 0.95 * len(words)
