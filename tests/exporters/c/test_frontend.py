"""Frontends and detectors in C against their Python: on real sound, with warnings as errors and sanitizers on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.cases.frontend_programs import (
    ACLE,
    DETECTOR_MAIN,
    FRONTEND_MAIN,
    NETWORK,
    NETWORK_HEADER,
    Compiled,
    Hash,
    Run,
    build,
)
from numpy.typing import NDArray

from edgekit import models
from edgekit.core import Model
from edgekit.errors import Unsupported
from edgekit.exporters.c.frontend import frontend_files, tables_text
from edgekit.models.keyword.hearing.pipeline import KeywordSpotter, WakewordSpotter
from edgekit.models.keyword.shapes import KeywordRules, WakewordRules
from edgekit.registry import find, serving

DATA = Path(models.__file__).parent / "data" / "golden"
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def sound(file: Path) -> NDArray[np.int16]:
    samples, rate = soundfile.read(file, dtype="int16")
    assert rate == 16_000
    return np.asarray(samples)


def hard_sounds() -> list[NDArray[np.int16]]:
    """Every level from one bit to clipping; the largest values; silence; and next to nothing."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=80_000) * np.exp2(rng.integers(0, 17, 20)).repeat(4000)
    return [
        np.clip(np.round(noise), -32768, 32767).astype(np.int16),
        np.where(np.arange(8000) // 40 % 2, 32767, -32768).astype(np.int16),
        rng.integers(-1, 2, 8000).astype(np.int16),
        np.zeros(2000, np.int16),
        np.zeros(100, np.int16),
    ]


def model_of(name: str) -> tuple[Model, Any, Any]:
    """A model, its frontend's part, and the frontend's Python."""
    model: Model = serving(find("models", name), "c")
    part = model.network.parts[0]
    assert part.build is not None
    return model, part, part.build(None)  # type: ignore[arg-type]


def compare(run: Run, frontend: Any, samples: NDArray[np.int16]) -> tuple[int, int, int]:
    """(values, how many differ, by how much at most) between C and Python."""
    expected = frontend({"audio": samples})["features"]
    actual = np.frombuffer(run(samples), np.int8).reshape(expected.shape)
    distance = np.abs(actual.astype(int) - expected)
    return distance.size, int((distance > 0).sum()), int(distance.max(initial=0))


@pytest.fixture(scope="module")
def frontends(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Run, Any]]:
    found = {}
    for name in ("ds-cnn-kws", "okay-nabu"):
        _, part, reference = model_of(name)
        plain = {key: value for key, value in part.settings.items() if key != "detector"}
        folder = tmp_path_factory.mktemp(name)
        found[name] = build(folder, plain, part.kind, FRONTEND_MAIN, {}), reference
        assert not (folder / "detector.c").exists()
    return found


def test_the_micro_frontend_is_the_same_bit_for_bit(frontends: Mapping[str, tuple[Run, Any]]) -> None:
    run, reference = frontends["okay-nabu"]
    for samples in (sound(DATA / "jfk.flac"), *hard_sounds()):
        assert compare(run, reference, samples)[1] == 0


def test_the_dsp_path_is_the_same_bit_for_bit(frontends: Mapping[str, tuple[Run, Any]], tmp_path: Path) -> None:
    _, part, reference = model_of("okay-nabu")
    plain = {key: value for key, value in part.settings.items() if key != "detector"}
    run = build(tmp_path, plain, part.kind, FRONTEND_MAIN, {"arm_acle.h": ACLE}, "-D__ARM_FEATURE_DSP=1")
    for samples in (sound(DATA / "jfk.flac"), *hard_sounds()):
        assert compare(run, reference, samples)[1] == 0


def test_mfcc_is_within_a_step(frontends: Mapping[str, tuple[Run, Any]]) -> None:
    run, reference = frontends["ds-cnn-kws"]
    for samples in (sound(DATA / "jfk.flac"), *hard_sounds()):
        values, differing, furthest = compare(run, reference, samples)
        assert furthest <= 1
        assert differing <= 0.002 * values + 1


@pytest.mark.real
def test_frontends_on_every_clip(frontends: Mapping[str, tuple[Run, Any]], shared_data: Path) -> None:
    total = {"ds-cnn-kws": np.zeros(3, int), "okay-nabu": np.zeros(3, int)}
    for file in sorted((shared_data / "librispeech-test-other").rglob("*.flac")):
        for name, (run, reference) in frontends.items():
            values, differing, furthest = compare(run, reference, sound(file))
            total[name] = np.array([total[name][0] + values, total[name][1] + differing, max(total[name][2], furthest)])
    assert total["okay-nabu"][1] == 0
    assert total["ds-cnn-kws"][2] <= 1
    assert total["ds-cnn-kws"][1] <= 0.001 * total["ds-cnn-kws"][0]


def detector(folder: Path, name: str, frontend: Run) -> tuple[Run, KeywordSpotter | WakewordSpotter, Hash]:
    """A model's detector around the hashing network: in C, and as the Python pipeline around the same frontend."""
    model, part, _ = model_of(name)
    network, rules = model.network.parts[1], part.settings["detector"]
    output = network.outputs[0]
    classes, size = int(output.shape[-1]), int(np.prod([int(n) for n in network.inputs[0].shape]))
    text = NETWORK.replace("INPUT", str(size)).replace("OUTPUT", str(classes))
    run = build(folder, part.settings, part.kind, DETECTOR_MAIN, {"network.h": NETWORK_HEADER, "network.c": text})
    fields = {"keyword": KeywordRules, "wakeword": WakewordRules}[rules["kind"]].__dataclass_fields__
    facts = {
        "labels": rules["labels"],
        "rules": {key: value for key, value in rules.items() if key in fields},
        "frontend": {key: value for key, value in part.settings.items() if key not in ("tables", "detector")},
    }
    hashing = Hash(output.name, classes, output.dtype)
    runners = {"frontend": Compiled(frontend, part.settings["features"]), "network": hashing}
    spotter = {"keyword": KeywordSpotter, "wakeword": WakewordSpotter}[rules["kind"]]
    return run, spotter(runners, facts), hashing


@pytest.mark.parametrize("name", ["ds-cnn-kws", "okay-nabu", "hey-jarvis"])
def test_detectors_decide_as_the_pipeline_does(
    name: str, frontends: Mapping[str, tuple[Run, Any]], tmp_path: Path
) -> None:
    run, spotter, hashing = detector(
        tmp_path, name, frontends["ds-cnn-kws" if name == "ds-cnn-kws" else "okay-nabu"][0]
    )
    heard = 0
    for file in [*sorted(DATA.glob("golden-*.wav")), DATA / "jfk.flac"]:
        samples = sound(file)
        hashing.reset()
        expected = spotter.predict(samples.astype(np.float32) / 32768).details["events"]
        lines = [line.split() for line in run(samples).decode().splitlines()]
        assert [(word, float(time)) for word, time, _ in lines] == [(e["word"], e["time"]) for e in expected], file
        for (_, _, score), event in zip(lines, expected, strict=True):
            assert abs(int(score) / 256 - event["score"]) < 1 / 200
        heard += len(lines)
    assert heard > 0 or name == "hey-jarvis"  # its cutoff is beyond what a hash reaches five times in a row


def test_what_there_is_no_code_for_is_refused() -> None:
    _, part, _ = model_of("okay-nabu")
    with pytest.raises(Unsupported, match="'fbank'"):
        frontend_files("fbank", part.settings)
    with pytest.raises(Unsupported, match="'echo'"):
        frontend_files(part.kind, {**part.settings, "detector": {"kind": "echo", "labels": ()}})


def test_tables_are_numbers_in_their_types() -> None:
    text = tables_text(
        {
            "least": -(2**31),
            "some": np.array([1, -2], np.int16),
            "circle": np.array([[-(2**31), 2**31 - 1]], np.int32),
            "rows": np.array([[1, 2, 3]], np.uint8),
        }
    )
    assert "#define LEAST INT32_MIN\n" in text
    assert "static const int16_t some[2] = {\n    1, -2,\n};" in text
    assert "static const complex32 circle[1] = {\n    {INT32_MIN, 2147483647},\n};" in text
    assert "static const uint8_t rows[1][3] = {\n    {\n    1, 2, 3,\n    },\n};" in text


def test_labels_are_text_whatever_they_hold() -> None:
    _, part, _ = model_of("okay-nabu")
    labels = ('say "hi"', "back\\slash", "new\nline")
    settings = {**part.settings, "detector": {**part.settings["detector"], "labels": labels}}
    assert r'{"say \"hi\"", "back\\slash", "newline"}' in frontend_files(part.kind, settings)["detector_tables.h"]
