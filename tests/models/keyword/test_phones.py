"""Keyword spotters for laptops and phones: graphs beside the integer frontends, streams, operating points."""

from __future__ import annotations

import math
from collections.abc import Callable
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
from edgekit.core import Bundle, Checkpoint, Feeds, Model, Part, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.models.keyword.frontends.mfcc import Mfcc, normalize_level
from edgekit.models.keyword.frontends.micro import MicroFrontend
from edgekit.models.keyword.hearing.operating_point import operate
from edgekit.models.keyword.hearing.pipeline import Heard, KeywordSpotter, WakewordSpotter
from edgekit.models.keyword.hearing.rules import Mean
from edgekit.models.keyword.shapes import MfccSettings, MicroSettings
from edgekit.numerics.alarms import poisson_upper
from edgekit.registry import find
from edgekit.runtimes.torch.runner import TorchRunner
from edgekit.tasks.resolved import samples_of

DATA = Path(models.__file__).parent / "data" / "golden"
KWS: Model = find("models", "ds-cnn-kws")
NABU: Model = find("models", "okay-nabu")


def jfk(seconds: float = 11) -> NDArray[np.int16]:
    samples, _ = soundfile.read(DATA / "jfk.flac", dtype="int16", frames=round(16_000 * seconds))
    return np.asarray(samples)


class Energy(Runner):
    """A stand-in for a network, whose answer depends on all of its window and, if it remembers, on those before."""

    stateful = True
    inputs: tuple[TensorSpec, ...] = ()

    def __init__(self, output: TensorSpec, memory: float = 0.0) -> None:
        self.outputs, self._memory, self._held = (output,), memory, 0.0

    def reset(self) -> None:
        self._held = 0.0

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        window = feeds["window"].astype(np.float64).reshape(-1)
        self._held = self._memory * self._held + float((window * np.arange(window.size)).sum())
        values = 9 * np.sin(self._held * np.arange(1, 1 + int(self.outputs[0].shape[-1])))
        if self.outputs[0].dtype != "float32":
            values = np.abs(values) * 14
        return {self.outputs[0].name: values.astype(self.outputs[0].dtype)[None]}


class Graph(Runner):
    """A stand-in for a frontend graph: all outputs depend on all inputs."""

    def __init__(self, part: Part) -> None:
        self.inputs, self.outputs = part.inputs, part.outputs

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        total = sum(float((value * np.arange(1, value.size + 1)).sum()) for value in feeds.values())
        made = {}
        for spec in self.outputs:
            shape = tuple(int(size) for size in spec.shape)
            made[spec.name] = np.sin(total * np.arange(1, 1 + math.prod(shape))).reshape(shape)
        return {spec.name: (made[spec.name] * 100).astype(spec.dtype) for spec in self.outputs}


def spotter(model: Model) -> Any:
    """`model` with an `Energy` that fires often, behind its own frontend on chips and a `Graph` elsewhere."""
    frontend, network = model.network.parts
    on_chip = frontend.inputs[0].dtype == "int16" and frontend.build is not None
    made = frontend.build(Checkpoint(Path("none"), "none", {}, {}, {})) if on_chip else Graph(frontend)  # type: ignore[misc]
    chip = model.network.variants.get("integers", model)
    detector = dict(chip.network.parts[0].settings["detector"])
    plain = {key: value for key, value in chip.network.parts[0].settings.items() if key not in ("tables", "detector")}
    keyword = detector["kind"] == "keyword"
    names = ("frames", "hop", "smoothed", "refractory", "words") if keyword else ("smoothed", "stride", "refractory")
    rules = {name: detector[name] for name in names} | ({"threshold": 30} if keyword else {"cutoff": 0.4})
    facts = {"labels": list(detector["labels"]), "rules": rules, "frontend": plain}
    kind = KeywordSpotter if keyword else WakewordSpotter
    return kind({"frontend": made, "network": Energy(network.outputs[0], 0.0 if keyword else 0.5)}, facts)


# ------------------------------------------------------------------------------------------------------------ frontends


@pytest.mark.parametrize("seconds", [1, pytest.param(11, marks=pytest.mark.thorough)])
def test_the_mfcc_graph_is_within_a_step_of_the_chips(seconds: float) -> None:
    part, rules = KWS.network.parts[0], MfccSettings()
    graph = TorchRunner(part, part.build(Checkpoint(Path("none"), "none", {}, {}, {})))  # type: ignore[misc]
    count, off, most, audio = 0, 0, 0, np.concatenate([np.zeros(16_000, np.int16), jfk(seconds)])
    for start in range(0, len(audio) - 16_000, 3840):
        second = audio[start : start + 15_840]
        made = graph({"audio": second[None].astype(np.float32) / np.float32(32768)})["window"][0, :, :, 0]
        steps = np.clip(np.round(made / rules.scale + rules.zero_point), -128, 127).astype(int)
        wanted = normalize_level(Mfcc(rules)({"audio": second})["features"], int(second.max()), rules).astype(int)
        difference = np.abs(steps - wanted)
        count, off, most = count + difference.size, off + int((difference > 0).sum()), max(most, int(difference.max()))
    assert most <= 1 and off / count < 0.03


@pytest.mark.parametrize("seconds", [1.5, pytest.param(11, marks=pytest.mark.thorough)])
def test_the_micro_graph_is_the_integer_frontend_but_for_two_features_in_a_thousand(seconds: float) -> None:
    part = NABU.network.parts[0]
    graph = TorchRunner(part, part.build(Checkpoint(Path("none"), "none", {}, {}, {})))  # type: ignore[misc]
    audio, noise, rows = jfk(seconds), np.zeros((1, 40), np.float32), []
    for start in range(0, len(audio) - 800, 480):
        made = graph({"audio": audio[None, start : start + 800].astype(np.float32) / np.float32(32768), "noise": noise})
        noise = made["noise_after"]
        rows.append(made["window"][0])
    ours = np.concatenate(rows).astype(int)
    wanted = MicroFrontend(MicroSettings())({"audio": audio})["features"][: len(ours)].astype(int)
    assert np.abs(ours - wanted).max() <= 1 and (ours != wanted).mean() < 2e-3


# -------------------------------------------------------------------------------------------------------------- streams


@pytest.fixture(
    scope="module",
    params=[KWS, NABU, KWS.network.variants["integers"], NABU.network.variants["integers"]],
    ids=lambda m: "chip" if m.network.integers else m.network.ready or "any",
)
def spotting(request: pytest.FixtureRequest) -> Any:
    return spotter(request.param)


@settings(deadline=None, max_examples=8)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=12))
def test_a_stream_hears_what_predict_hears_however_it_is_cut(spotting: Any, sizes: list[int]) -> None:
    audio = jfk(3)
    wanted = spotting.predict(audio.astype(np.float32) / 32768).details["events"]
    stream = spotting.stream()
    cuts = np.cumsum(sizes)
    heard = [event for piece in np.split(audio, cuts[cuts < len(audio)]) for event in stream.feed(piece)]
    assert wanted and heard == wanted


def test_a_stream_starts_anew_after_reset_and_takes_floats(spotting: Any) -> None:
    stream, audio = spotting.stream(), jfk(2)
    first = stream.feed(audio)
    stream.reset()
    assert stream.feed(audio.astype(np.float32) / 32768) == first


@pytest.mark.parametrize(
    "chunk", [[1], np.zeros((2, 2), np.int16), np.zeros(3, np.int32), np.array([np.nan], np.float32)]
)
def test_a_chunk_of_another_kind_is_refused(chunk: Any) -> None:
    with pytest.raises(BadInput, match="chunk"):
        spotter(KWS.network.variants["integers"]).stream().feed(chunk)


# ------------------------------------------------------------------------------------------------------ operating point

MEAN = Mean(("hey",), 2, 400, 3, False, 800, 480, 16_000)


def heard(*levels: int, seconds: float = 1800, quiet: int = 20) -> Heard:
    """A track with a look pair of each of `levels`, `quiet` looks apart."""
    track = [value for level in levels for value in [level, level, *[0] * quiet]] or [0] * 10
    return Heard("", np.array(track, np.uint8)[:, None], seconds, MEAN)


def test_the_lowest_threshold_that_keeps_the_false_alarms() -> None:
    scores = [heard(10, 60, 90), heard(80, 120), heard(100), heard(70)]
    point = operate(scores, ["nothing", "nothing", "hey", "hey"], {"false_alarms_per_hour": 2})
    assert (point["false_alarms"], point["hours"], point["positives"]) == (2, 1.0, 2)
    assert point["limit"] == 2 * 80  # 90 and 120 are above it, 80 is not
    assert (point["missed"], point["miss_rate"]) == (1, 0.5)
    assert point["verdict"] == "undecided" and point["at_most"] == pytest.approx(6.296, abs=0.001)


@given(levels=st.lists(st.integers(0, 255), max_size=30), refractory=st.integers(0, 6), smoothed=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_the_strongest_events_are_what_any_limit_would_count(levels: list[int], refractory: int, smoothed: int) -> None:
    mean = Mean(("hey",), smoothed, 0, refractory, False, 800, 480, 16_000)
    track = Heard("", np.array(levels, np.uint8)[:, None], 1, mean)
    events = track.strongest(40)
    assert events == sorted(events, reverse=True) and len(events) == track.hits(0)
    for limit in range(0, 256 * smoothed, 17):
        assert sum(event > limit for event in events) == track.hits(limit)
    assert track.strongest(2) == events[:2]


def test_too_little_sound_is_undecided_and_gets_a_margin() -> None:
    point = operate([heard(50, seconds=480)], ["nothing"], {"false_alarms_per_hour": 0.5})
    assert point["verdict"] == "undecided" and point["false_alarms"] == 0 and point["miss_rate"] is None
    assert point["limit"] == 400  # as published: a quiet minute is no ground for less
    loud = operate([heard(230, seconds=480)], ["nothing"], {"false_alarms_per_hour": 0.5})
    assert loud["limit"] == 2 * 230 + math.ceil(0.02 * 512)
    assert point["at_most"] == pytest.approx(-math.log(0.05) / (480 / 3600), rel=1e-3)
    many = operate([heard(50, seconds=3600)] * 10, ["nothing"] * 10, {"false_alarms_per_hour": 0.5})
    assert many["verdict"] == "measured"


def test_without_a_wish_the_published_threshold_is_measured() -> None:
    point = operate([heard(250), heard(250)], ["nothing", "hey"], {})
    assert (point["limit"], point["false_alarms"], point["missed"]) == (400, 1, 0)
    assert point["verdict"] == "as published"


@pytest.mark.parametrize("wish", [{"beams": 1}, {"false_alarms_per_hour": 0}, {"false_alarms_per_hour": "1"}])
def test_wishes_that_cannot_be(wish: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        operate([heard(1)], ["nothing"], wish)


def test_only_positives_and_single_looks_cannot_tell() -> None:
    with pytest.raises(BadInput, match="without the word"):
        operate([heard(99)], ["hey"], {})
    single = Heard("", np.zeros((1, 1), np.uint8), 1, MEAN)
    assert operate([single], ["nothing"], {})["verdict"] == "not measured"
    with pytest.raises(BadInput, match="one look"):
        operate([single], ["nothing"], {"false_alarms_per_hour": 1})


@pytest.mark.parametrize(("count", "upper"), [(0, 2.9957), (1, 4.7439), (10, 16.9622)])
def test_poisson_bounds_are_garwoods(count: int, upper: float) -> None:
    assert poisson_upper(count) == pytest.approx(upper, abs=1e-4)


@pytest.mark.parametrize("limit", [-1, 10_000, "1", 0.5])
def test_a_bundle_with_an_impossible_limit_is_refused(limit: Any) -> None:
    frontend, network = NABU.network.parts
    facts = {"labels": ["okay-nabu"], "rules": {"cutoff": 0.5}, "frontend": {}, "operating_point": {"limit": limit}}
    with pytest.raises(BadInput, match="operating point"):
        WakewordSpotter({"frontend": frontend, "network": network}, facts)  # type: ignore[dict-item]


def test_folders_tell_the_phrase_from_other_sound(tmp_path: Path) -> None:
    for name in ("okay nabu/a.wav", "_background_/b.wav", "c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(800), 16_000)
    truths = {sample.name: sample.truth for sample in samples_of(NABU, tmp_path)}
    assert truths == {"okay nabu/a.wav": "okay-nabu", "_background_/b.wav": "nothing", "c.wav": "nothing"}


# -------------------------------------------------------------------------------------------------------- real networks


@pytest.fixture(scope="module", params=["onnxruntime", "litert"])
def words(request: pytest.FixtureRequest, bundle_of: Callable[..., Bundle]) -> Bundle:
    return bundle_of("ds-cnn-kws", "laptop", runtime=request.param, precision="int8", fallback=False)


@pytest.mark.real
def test_our_own_int8_of_the_float_weights(words: Bundle, shared_data: Path) -> None:
    network = words.path / f"network.{'onnx' if words.manifest.recipe.exporter == 'onnx' else 'tflite'}"
    assert network.stat().st_size <= 53_936
    verdict = edgekit.verify(words.path, data=shared_data / "mlperf-tiny-kws")["gate"]
    assert verdict.value >= 0.91
    assert edgekit.load(words.path).predict(str(DATA / "golden-yes.wav")).details["events"][0]["word"] == "yes"


@pytest.mark.real
def test_an_int8_network_is_refused_where_float_weights_are_needed(tmp_path: Path, shared_data: Path) -> None:
    weights = shared_data.parent / "models" / "mlperf-tiny" / "kws_ref_int8.tflite"
    with pytest.raises(BadInput, match="no float weights"):
        edgekit.export("ds-cnn-kws", "laptop", weights=str(weights), out=tmp_path / "bundle", fallback=False)


def test_float_weights_come_from_either_file_and_are_checked(shared_data: Path, tmp_path: Path) -> None:
    from edgekit.formats.checkpoint import read_checkpoint
    from edgekit.models.keyword.network import network

    folder = shared_data.parent / "models" / "mlperf-tiny"
    keras, ready = (network(read_checkpoint(folder / f"kws_ref_float{end}"), 12) for end in (".npz", "32.tflite"))
    window = np.zeros((1, 49, 10, 1), np.float32)  # the two are of different trainings
    for module in (keras, ready):
        made = TorchRunner(KWS.network.parts[1], module)({"window": window})["logits"]
        assert made.shape == (1, 12) and np.isfinite(made).all()
    with pytest.raises(BadInput, match="layer 9"):
        network(read_checkpoint(folder / "kws_ref_float.npz"), 11)
    with pytest.raises(BadInput, match="no float tensor 'layer_0/kernel'"):
        np.savez(tmp_path / "other.npz", a=np.zeros(3, np.float32))
        network(read_checkpoint(tmp_path / "other.npz"), 12)
    (tmp_path / "broken.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:60])
    with pytest.raises(BadInput, match="not a sound"):
        read_checkpoint(tmp_path / "broken.npz")


@pytest.fixture(scope="module")
def alexa(tmp_path_factory: pytest.TempPathFactory, other_speech: list[Path]) -> Bundle:
    """With an operating point, chosen on one phrase and five seconds of other speech."""
    folder = tmp_path_factory.mktemp("alexa")
    (folder / "data" / "alexa").mkdir(parents=True)
    (folder / "data" / "alexa" / "a.wav").write_bytes((DATA / "golden-alexa.wav").read_bytes())
    speech, rate = soundfile.read(other_speech[0], dtype="int16")
    soundfile.write(folder / "data" / "speech.wav", speech[: 5 * rate], rate)
    wish = {"false_alarms_per_hour": 0.5}
    return edgekit.export("alexa", "android", data=folder / "data", operating=wish, out=folder / "bundle")


@pytest.mark.real
def test_a_ready_wake_word_keeps_its_network_and_hears_its_phrase(alexa: Bundle) -> None:
    from edgekit.sources.fetching import fetch

    assert alexa.manifest.recipe.exporter == "litert" and alexa.manifest.recipe.precision == "int8"
    ready, _ = fetch(find("models", "alexa").weights.sources)
    assert (alexa.path / "network.tflite").read_bytes() == (ready / "network.tflite").read_bytes()
    spotting = edgekit.load(alexa.path)
    first = spotting.predict(str(DATA / "golden-alexa.wav"))
    assert asdict(first)["score"] == "alexa"  # the command line shows predictions as plain data
    assert first.output.startswith("alexa at ")
    assert spotting.predict(str(DATA / "golden-alexa.wav")) == first  # the stream's state was forgotten
    for name in ("golden-hey-jarvis.wav", "jfk.flac"):
        assert spotting.predict(str(DATA / name)).output == "nothing"
    samples, _ = soundfile.read(DATA / "golden-alexa.wav", dtype="int16")
    stream: Any = spotting.stream()  # type: ignore[attr-defined]
    heard = [event for at in range(0, len(samples), 160) for event in stream.feed(samples[at : at + 160])]
    assert heard == first.details["events"]


@pytest.mark.real
def test_an_operating_point_is_chosen_and_used(alexa: Bundle) -> None:
    point = alexa.manifest.facts["operating_point"]
    assert (point["missed"], point["positives"], point["false_alarms"], point["verdict"]) == (0, 1, 0, "undecided")
    published = find("models", "alexa").network.variants["integers"].network.parts[0].settings["detector"]["limit"]
    assert point["limit"] >= published  # a minute of other sound is no ground for less
    score: Any = edgekit.load(alexa.path).predict(str(DATA / "golden-alexa.wav")).score
    assert score.mean.limit == point["limit"]
