"""openWakeWord on a stream: timed as pyopen-wakeword is, however the sound is cut; events by the house's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit import models
from edgekit.core import Bundle, Feeds, Part, Runner
from edgekit.errors import BadInput, Unsupported
from edgekit.estimation.recipes import recipe_for
from edgekit.models.keyword.openwakeword.ear import OpenWakewordSpotter, probability
from edgekit.models.keyword.openwakeword.shapes import OpenRules, OpenSettings
from edgekit.registry import find

DATA = Path(models.__file__).parent / "data" / "golden"
MODEL = find("models", "openwakeword-hey-jarvis")
SHAPE = OpenSettings()
#: Samples of silence that the package begins with: 8 s.
BEFORE = 128_000


class Mixed(Runner):
    """A stand-in for a part: every number of the answer depends on all that goes in, and on where it stands."""

    def __init__(self, part: Part) -> None:
        self.inputs, self.outputs = part.inputs, part.outputs
        size = int(np.prod(part.inputs[0].shape))
        self._weights = np.random.default_rng(size).normal(size=(size, 8)) / np.sqrt(size)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        (value,), spec = feeds.values(), self.outputs[0]
        assert value.shape == self.inputs[0].shape and value.dtype == np.float32
        mixed = np.tanh(20 * value.astype(np.float64).reshape(-1) @ self._weights)
        made = 3 * np.resize(mixed, spec.shape)
        return {spec.name: made.astype(np.float32)}


def stand_ins() -> dict[str, Mixed]:
    return {part.name: Mixed(part) for part in MODEL.network.parts}


def one(runner: Mixed, value: NDArray[Any]) -> NDArray[Any]:
    return next(iter(runner({runner.inputs[0].name: value.astype(np.float32)}).values()))


def whole(parts: Mapping[str, Mixed], audio: NDArray[np.int16]) -> list[float]:
    """All probabilities on silence and then `audio`, as the package computes them: one rule after another."""
    sound = np.concatenate([np.zeros(BEFORE, np.int16), audio]).astype(np.float32) / 32768
    starts = range(0, len(sound) - 1760 + 1, 1280)
    frames = np.concatenate([one(parts["frontend"], sound[None, at : at + 1760])[0] for at in starts])
    embeddings = [one(parts["embedding"], frames[None, at : at + 76]) for at in range(0, len(frames) - 75, 8)]
    looks = [np.concatenate(embeddings[i : i + 16])[None] for i in range(len(embeddings) - 15)]
    return [probability(one(parts["head"], look)[0]) for look in looks]


@pytest.fixture(scope="module")
def spotter() -> OpenWakewordSpotter:
    parts = stand_ins()
    frame = one(parts["frontend"], np.zeros((1, 1760)))
    # Silence has one value in a network that was trained; in a stand-in it is made to.
    quiet = {"frame": 0.0, "embedding": one(parts["embedding"], np.zeros((1, 76, 32)))[0].tolist()}
    assert not frame.any()
    facts = {"labels": ["hey-jarvis"], "frontend": asdict(SHAPE), "rules": asdict(OpenRules()), "silence": quiet}
    return OpenWakewordSpotter(parts, facts)  # type: ignore[arg-type]


def jfk(seconds: float) -> NDArray[np.int16]:
    samples, _ = soundfile.read(DATA / "jfk.flac", dtype="int16", frames=round(16_000 * seconds))
    return np.asarray(samples)


@pytest.mark.parametrize("samples", [0, 479, 480, 1759, 1760, 30_000])
def test_the_scores_are_those_of_the_whole_chain_after_eight_seconds_of_silence(
    spotter: OpenWakewordSpotter, samples: int
) -> None:
    audio = jfk(2)[:samples]
    found = spotter._looks(audio, lambda done, total: None)[:, 0]
    assert len(found) == max(0, (samples - 480) // 1280 + 1)
    wanted = whole(stand_ins(), audio)[-len(found) :] if len(found) else []
    assert found.tolist() == [min(255, int(256 * value)) for value in wanted]
    assert len(found) < 3 or len(set(found.tolist())) > 2


@settings(deadline=None, max_examples=8)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=12))
def test_a_stream_hears_what_predict_hears_however_it_is_cut(spotter: OpenWakewordSpotter, sizes: list[int]) -> None:
    audio = jfk(3)
    wanted = spotter.predict(audio.astype(np.float32) / 32768).details["events"]
    stream = spotter.stream()
    cuts = np.cumsum(sizes)
    heard = [event for piece in np.split(audio, cuts[cuts < len(audio)]) for event in stream.feed(piece)]
    assert wanted and heard == wanted
    stream.reset()
    assert stream.feed(audio) == wanted


@pytest.mark.parametrize(
    ("logits", "expected"), [((-1.0, 9.0), 0.268941), ((1.0, -1.0), 0.268941), ((0.0, 0.0), 0.5), ((-800.0, 1.0), 0.0)]
)
def test_the_checker_decides_where_the_listener_hears_something(logits: tuple[float, float], expected: float) -> None:
    assert probability(np.array(logits, np.float32)) == pytest.approx(expected, abs=1e-6)


def test_half_is_an_event_and_just_less_is_none(spotter: OpenWakewordSpotter) -> None:
    score = spotter.predict(jfk(3).astype(np.float32) / 32768).score
    assert score.mean.limit == 127  # scores are rounded down, so 127 is anything below a half
    loud = [int(value) > 127 for value in score.scores[:, 0]]
    assert score.places(127)[0] == loud.index(True)
    assert np.diff([*score.places(127), 10_000]).min() > OpenRules().refractory


def test_chips_are_refused() -> None:
    fit = edgekit.fit(MODEL.name, "cortex-m4")
    assert fit.verdict == "refused" and "needs integer inputs and outputs" in fit.reason
    assert edgekit.fit(MODEL.name, "laptop", runtime="qemu").verdict == "refused"
    with pytest.raises(Unsupported, match="there is no qemu there"):
        recipe_for(MODEL, find("targets", "laptop"), None, "qemu")


# -------------------------------------------------------------------------------------------------------- real networks


@pytest.fixture(scope="module", params=["onnxruntime", "litert"])
def made(request: pytest.FixtureRequest, bundle_of: Callable[..., Bundle]) -> Bundle:
    return bundle_of(MODEL.name, "laptop", runtime=request.param, precision="int8", fallback=False)


@pytest.mark.real
def test_int8_hears_the_phrase_twice_and_nothing_in_other_speech(made: Bundle, other_speech: list[Path]) -> None:
    forms = {part.name: part.census["bytes"] for part in made.manifest.parts}
    assert "int8" in forms["embedding"] and not {"int8", "uint8"} & set(forms["frontend"])
    assert sum((made.path / part.file).stat().st_size for part in made.manifest.parts) < 1_200_000
    spotting: Any = edgekit.load(made.path)
    golden, _ = soundfile.read(DATA / "openwakeword-golden.flac", dtype="int16")
    first = spotting.predict(str(DATA / "openwakeword-golden.flac"))
    assert [event["word"] for event in first.details["events"]] == ["hey-jarvis"] * 2
    stream = spotting.stream()
    heard = [event for at in range(0, len(golden), 160) for event in stream.feed(golden[at : at + 160])]
    assert heard == first.details["events"]
    for file in other_speech[:4]:
        assert spotting.predict(str(file)).output == "nothing"
    assert spotting.predict(np.zeros(160, np.float32)).output == "nothing"  # shorter than one look


@pytest.mark.real
def test_weights_that_are_not_the_three_networks(tmp_path: Path) -> None:
    from edgekit.sources.fetching import fetch

    folder, _ = fetch(MODEL.weights.sources)
    with pytest.raises(BadInput, match=r"lack hey_jarvis\.tflite|lack melspectrogram\.tflite"):
        edgekit.export(MODEL.name, "laptop", weights=str(folder / "embedding_model.tflite"), out=tmp_path / "bundle")
