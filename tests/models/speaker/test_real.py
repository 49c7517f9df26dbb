"""Speaker models with their real weights in int8, on voices that calibration has not heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.toys.references import floats

import edgekit
from edgekit.cli.command import run
from edgekit.core import Bundle
from edgekit.runtimes.resolved import runtime_for

#: Model and exporter. Converting ge2e-speaker to LiteRT takes a minute, too long to be here.
CASES = (("ecapa-tdnn", "onnx"), ("ecapa-tdnn", "litert"), ("ge2e-speaker", "onnx"))
CLIPS = 60

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def made(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model, exporter = request.param
    return edgekit.export(
        model,
        precision="int8",
        runtime=runtime_for(exporter),
        calibration=shared_data / "librispeech-train-clean",
        data=shared_data / "librispeech-test-other",
        out=tmp_path_factory.mktemp("bundles") / "int8",
        fallback=False,
        evidence=False,
    )


@pytest.fixture(scope="module")
def voices(shared_data: Path) -> list[Path]:
    """Sixty clips of six speakers, in their order."""
    return sorted((shared_data / "librispeech-test-other").rglob("*.flac"))


def test_int8_hears_the_same_voices(made: Bundle, voices: list[Path]) -> None:
    assert len(voices) == CLIPS
    small, whole = edgekit.load(made.path), floats(made.manifest.model.name)
    cosines = [
        float(np.dot(*(one.predict(str(path)).details["embedding"] for one in (small, whole)))) for path in voices[::4]
    ]
    assert min(cosines) >= 0.99


def test_the_error_rate_is_that_of_float(made: Bundle) -> None:
    gate = made.manifest.gate
    assert gate.verdict in ("pass", "undecided")
    assert (gate.metric, gate.samples) == ("eer", CLIPS * (CLIPS - 1) // 2)
    assert gate.value - gate.reference <= 0.003


def test_the_threshold_is_that_of_the_data(made: Bundle) -> None:
    point = made.manifest.facts["operating_point"]
    assert point["trials"] == CLIPS * (CLIPS - 1) // 2
    assert point["misses"] == pytest.approx(point["false_alarms"], abs=0.01)
    assert 0.5 < point["threshold"] < 1.0
    edgekit.verify(made.path)


def test_the_command_line_tells_two_people_apart(
    made: Bundle, voices: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for other in (voices[1], voices[30]):
        assert run(["run", str(made.path), str(voices[0]), str(other)]) == 0
        said.append(capsys.readouterr().out)
    assert "the same speaker" in said[0]
    assert "different speakers" in said[1]


def test_most_weights_are_int8(made: Bundle) -> None:
    network = next(part for part in made.manifest.parts if part.name == "network")
    forms = {layer["form"] for layer in network.census["layers"].values()}
    assert forms & {"static", "dynamic", "weight-only"}
    assert (made.path / network.file).stat().st_size < 0.5 * 4 * made.manifest.model.parameters
