"""Frontends and detectors in C against their Python: on real sound, with warnings as errors and sanitizers on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit import models
from edgekit.core import Feeds, Model, TensorSpec
from edgekit.errors import Unsupported
from edgekit.exporters._c_frontend import tables_text, write_frontend
from edgekit.models._keyword_pipeline import KeywordSpotter, WakewordSpotter
from edgekit.models._keyword_shape import KeywordRules, WakewordRules
from edgekit.registry import find

DATA = Path(models.__file__).parent / "data"
#: A compiler may warn where it likes elsewhere; what a bundle ships is clean. No library but libc's memory functions.
FLAGS = (
    *("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

Run = Callable[[NDArray[np.int16]], bytes]

FRONTEND_MAIN = """
#include <stdio.h>
#include "frontend.h"

int main(void)
{
    static int16_t samples[1000];
    int8_t features[FRONTEND_FEATURES];
    size_t count, wanted = 1;
    frontend_reset();
    while ((count = fread(samples, sizeof *samples, wanted, stdin)) > 0) {
        for (size_t i = 0; i < count;) {
            int ready;
            i += frontend_push(samples + i, count - i, features, &ready);
            fwrite(features, 1, ready ? sizeof features : 0, stdout);
        }
        wanted = wanted % 997 + 3; /* pieces of every size */
    }
    return 0;
}
"""

DETECTOR_MAIN = """
#include <stdio.h>
#include "detector.h"
#include "frontend.h"

int main(void)
{
    int16_t sample;
    detector_reset();
    for (long at = 1; fread(&sample, sizeof sample, 1, stdin) == 1; at++) {
        uint8_t score;
        int heard = detector_push(&sample, 1, &score);
        if (heard >= 0) {
            printf("%s %.3f %d\\n", detector_labels[heard], (double)at / FRONTEND_SAMPLE_RATE, score);
        }
    }
    return 0;
}
"""

#: A network of the contract's interface that hashes its input: every difference in what it is given shows.
NETWORK_HEADER = """
#ifndef NETWORK_H
#define NETWORK_H
#include <stdint.h>
typedef struct {
    void *data;
} ek_tensor;
void network_init(void);
void network_invoke(void);
ek_tensor network_input(int index);
ek_tensor network_output(int index);
#endif
"""
NETWORK = """
#include "network.h"
static int8_t input[INPUT];
static uint8_t output[OUTPUT];
static uint32_t state;
void network_init(void) { state = 0; }
ek_tensor network_input(int index) { (void)index; return (ek_tensor){input}; }
ek_tensor network_output(int index) { (void)index; return (ek_tensor){output}; }
void network_invoke(void)
{
    for (int i = 0; i < INPUT; i++) {
        state = (state ^ (uint8_t)input[i]) * 16777619u;
    }
    for (int i = 0; i < OUTPUT; i++) {
        uint32_t mixed = (state + (uint32_t)i) * 2654435761u;
        output[i] = (uint8_t)((mixed >> 24) | 64);
    }
}
"""


class Hash:
    """`NETWORK` in Python."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, name: str, classes: int, dtype: str) -> None:
        self._name, self._classes, self._dtype, self._state = name, classes, dtype, 0

    def reset(self) -> None:
        self._state = 0

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        for byte in feeds["features"].tobytes():
            self._state = (self._state ^ byte) * 16777619 & 0xFFFFFFFF
        mixed = [(self._state + i) * 2654435761 & 0xFFFFFFFF for i in range(self._classes)]
        values = np.array([[value >> 24 | 64 for value in mixed]], np.uint8)
        return {self._name: values.view(self._dtype)}


def build(folder: Path, settings: Mapping[str, Any], kind: str, main: str, sources: Mapping[str, str]) -> Run:
    """Compile a frontend with a main program, and give what it prints for samples on its standard input."""
    needed = write_frontend(kind, settings, folder)
    for name, text in {**sources, "main.c": main}.items():
        (folder / name).write_text(text)
    files = ["frontend.c", "main.c", *needed, *(name for name in sources if name.endswith(".c"))]
    if "network.c" in sources:
        files.append("detector.c")
    command = ["cc", *FLAGS, f"-I{folder}", *(str(folder / name) for name in files), "-o", str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def run(samples: NDArray[np.int16]) -> bytes:
        ran = subprocess.run([folder / "run"], input=samples.tobytes(), capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout

    return run


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
    model: Model = find("models", name)
    part = model.parts[0]
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


class Compiled:
    """A frontend in C as a runner."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, run: Run, features: int) -> None:
        self._run, self._features = run, features

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"features": np.frombuffer(self._run(feeds["audio"]), np.int8).reshape(-1, self._features)}


def detector(folder: Path, name: str, frontend: Run) -> tuple[Run, KeywordSpotter | WakewordSpotter, Hash]:
    """A model's detector around the hashing network: in C, and as the Python pipeline around the same frontend."""
    model, part, _ = model_of(name)
    network, rules = model.parts[1], part.settings["detector"]
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


def test_what_there_is_no_code_for_is_refused(tmp_path: Path) -> None:
    _, part, _ = model_of("okay-nabu")
    with pytest.raises(Unsupported, match="'fbank'"):
        write_frontend("fbank", part.settings, tmp_path)
    with pytest.raises(Unsupported, match="'echo'"):
        write_frontend(part.kind, {**part.settings, "detector": {"kind": "echo", "labels": ()}}, tmp_path)


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


def test_labels_are_text_whatever_they_hold(tmp_path: Path) -> None:
    _, part, _ = model_of("okay-nabu")
    labels = ('say "hi"', "back\\slash", "new\nline")
    write_frontend(part.kind, {**part.settings, "detector": {**part.settings["detector"], "labels": labels}}, tmp_path)
    text = (tmp_path / "detector_tables.h").read_text()
    assert r'{"say \"hi\"", "back\\slash", "newline"}' in text
