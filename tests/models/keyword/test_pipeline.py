"""Keyword spotters: declarations, data folders, rules from scores to events, and the real networks on golden sounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit import models
from edgekit.core import Checkpoint, Feeds, Model, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.models.keyword.hearing.pipeline import KeywordSpotter, WakewordSpotter, samples_of
from edgekit.models.keyword.shapes import KeywordRules, WakewordRules
from edgekit.registry import find
from edgekit.tasks import resolved
from edgekit.tasks.resolved import predictor_of

DATA = Path(models.__file__).parent / "data" / "golden"
WAKEWORDS = ("okay-nabu", "hey-jarvis", "alexa", "hey-mycroft")
KWS = "ds-cnn-kws"


class Script(Runner):
    """A network that plays back scores, and keeps what it was given."""

    stateful = True
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, name: str, answers: Sequence[NDArray[Any]]) -> None:
        self._name, self._answers = name, list(answers)
        self.given: list[NDArray[Any]] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.given.append(feeds["window"].copy())
        return {self._name: self._answers[(len(self.given) - 1) % len(self._answers)][None]}


def chip(name: str) -> Model:
    """The declaration for microcontrollers."""
    model: Model = find("models", name)
    return model.network.variants["integers"]


def facts_of(model: Model) -> dict[str, Any]:
    settings = dict(model.network.parts[0].settings)
    rules, _ = settings.pop("detector"), settings.pop("tables")
    kind = KeywordRules if rules["kind"] == "keyword" else WakewordRules
    known = {name: value for name, value in rules.items() if name in kind.__dataclass_fields__}
    return {"labels": list(rules["labels"]), "rules": known, "frontend": settings}


def keyword(answers: Sequence[NDArray[np.int8]], **rules: int) -> tuple[KeywordSpotter, Script]:
    model: Model = chip(KWS)
    network, facts = Script("scores", answers), facts_of(model)
    facts["rules"] |= rules
    assert model.network.parts[0].build is not None
    return KeywordSpotter({"frontend": model.network.parts[0].build(None), "network": network}, facts), network  # type: ignore[arg-type]


def wakeword(answers: Sequence[int], cutoff: float = 0.85) -> tuple[WakewordSpotter, Script]:
    model: Model = chip("okay-nabu")
    network, facts = Script("probability", [np.array([value], np.uint8) for value in answers]), facts_of(model)
    facts["rules"] |= {"cutoff": cutoff}
    assert model.network.parts[0].build is not None
    return WakewordSpotter({"frontend": model.network.parts[0].build(None), "network": network}, facts), network  # type: ignore[arg-type]


def scores(**words: int) -> NDArray[np.int8]:
    """Scores 0..255 by label, as the network gives them."""
    labels = facts_of(chip(KWS))["labels"]
    return np.array([words.get(label, 0) - 128 for label in labels], np.int8)


def noise(seconds: float) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000))).astype(np.float32)


# --------------------------------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize("name", [KWS, *WAKEWORDS])
def test_a_declaration_is_light_data(name: str) -> None:
    model = chip(name)
    frontend, network = model.network.parts
    assert (model.name, model.network.integers, frontend.name, network.name) == (name, True, "frontend", "network")
    plain = {key: value for key, value in frontend.settings.items() if key not in ("tables", "detector")}
    assert json.loads(json.dumps(plain)) == plain
    assert (DATA.parents[1] / model.task.golden).stat().st_size < 64 * 1024
    assert "Apache License" in (DATA.parents[1] / model.identity.licence_text).read_text()
    assert soundfile.info(DATA.parents[1] / model.task.golden).samplerate == 16_000


def test_the_limit_is_the_cutoff_in_whole_numbers() -> None:
    for cutoff in (0.0, 0.5, 0.85, 0.9, 0.95, 0.97, 1.0):
        limit = WakewordRules(cutoff).limit
        assert limit / 1280 <= cutoff
        assert (limit + 1) / 1280 > cutoff or limit == 1279


# ------------------------------------------------------------------------------------------------ from scores to events


def test_the_label_is_of_the_look_with_the_clearest_word() -> None:
    spotter, network = keyword([scores(silence=200), scores(yes=90, no=140), scores(unknown=255, no=20)])
    result = spotter.predict(noise(1.5))
    assert result.output == result.details["label"] == "no"
    assert (result.details["score"], result.details["looks"]) == (140 / 256, 3)
    assert network.given[0].shape == (1, 49, 10, 1)


def test_a_word_is_an_event_once_its_mean_is_above_the_threshold() -> None:
    spotter, _ = keyword([scores(yes=255)] * 20, refractory=4)
    events = spotter.predict(noise(3)).details["events"]
    # Looks at 0.99 s and every 0.24 s; the first mean is half, and four looks are quiet after an event.
    assert [(event["word"], event["time"]) for event in events] == [("yes", 1.23), ("yes", 2.43)]


def test_silence_and_unknown_are_no_events() -> None:
    spotter, _ = keyword([scores(silence=255)] * 2 + [scores(unknown=255)] * 2)
    result = spotter.predict(noise(3))
    assert (result.output, result.details["events"]) == ("silence", [])


def test_a_short_sound_is_padded_and_an_empty_one_refused() -> None:
    spotter, network = keyword([scores(go=200)])
    assert spotter.predict(noise(0.3)).output == "go"
    assert (network.given[0][0, -10:, 0, 0] == -128).all()
    with pytest.raises(BadInput, match="empty"):
        spotter.predict(np.zeros(0, np.float32))


def test_a_quiet_sound_looks_like_a_loud_one() -> None:
    spotter, network = keyword([scores(go=200)])
    audio = noise(1)
    spotter.predict(audio)
    spotter.predict(audio / 8)
    loud, quiet = (given.astype(int) for given in network.given)
    assert np.abs(loud - quiet).max() <= 2


def test_a_phrase_is_an_event_when_the_window_is_full_and_above_the_cutoff() -> None:
    spotter, network = wakeword([255] * 200)
    result = spotter.predict(noise(2))
    # Five calls of three frames; then 34 calls are quiet.
    first = (480 + 14 * 160) / 16_000
    assert [event["time"] for event in result.details["events"]] == [first, round(first + 35 * 0.03, 3)]
    assert result.output == f"okay-nabu at {first:.2f} s, okay-nabu at {first + 35 * 0.03:.2f} s"
    assert (network.resets, network.given[0].shape) == (1, (1, 3, 40))


def test_the_mean_must_exceed_the_cutoff() -> None:
    at_cutoff, above = [218, 218, 218, 217, 217], [218, 218, 218, 218, 217]  # 0.85 and a little more
    assert wakeword(at_cutoff)[0].predict(noise(1)).output == "nothing"
    assert wakeword(above)[0].predict(noise(1)).output == "okay-nabu at 0.17 s"


def test_a_sound_shorter_than_a_window_holds_nothing() -> None:
    result = wakeword([255])[0].predict(noise(0.02))
    assert (result.output, result.details["highest"], result.details["calls"]) == ("nothing", 0.0, 0)


def test_samples_are_the_files_own() -> None:
    own, _ = soundfile.read(DATA / "jfk.flac", dtype="int16")
    samples, notes = samples_of(str(DATA / "jfk.flac"), 16_000)
    assert (samples == own).all() and notes == []
    loud, _ = samples_of(np.array([2.0, -2.0, 1.0], np.float32), 16_000)
    assert loud.tolist() == [32767, -32768, 32767]


def test_unknown_options_are_refused() -> None:
    done: list[tuple[float, float]] = []
    wakeword([0])[0].predict(noise(1), progress=lambda *step: done.append(step))
    assert done[-1] == (32, 32)
    for spotter in (wakeword([0])[0], keyword([scores()])[0]):
        with pytest.raises(BadInput, match="'beams'"):
            spotter.predict(noise(1), beams=3)


# -------------------------------------------------------------------------------------------------------- data folders


def test_features_with_a_listing(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "a.bin").write_bytes(bytes(490))
    (tmp_path / "labels.csv").write_text("file,class_index\na.bin,9\n\n")
    (sample,) = resolved.samples_of(find("models", KWS), tmp_path)
    assert (sample.truth, sample.name) == ("yes", "a.bin")
    assert keyword([scores(yes=99)])[0].predict(sample.input).output == "yes"


@pytest.mark.parametrize("line", ["a.bin,12", "a.bin,-1", "a.bin,yes", "a.bin", "b.bin,1"])
def test_a_listing_that_is_wrong_names_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "a.bin").write_bytes(bytes(490))
    (tmp_path / "labels.csv").write_text(f"file,class_index\n{line}\n")
    with pytest.raises(BadInput, match="line 2"):
        resolved.samples_of(find("models", KWS), tmp_path)


def test_a_folder_for_each_word(tmp_path: Path) -> None:
    for folder in ("yes", "_silence_", "_background_noise_", "Cat"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "one.wav", noise(0.1), 16_000)
    samples = resolved.samples_of(find("models", KWS), tmp_path)
    assert {sample.name: sample.truth for sample in samples} == {
        "Cat/one.wav": "unknown",
        "_background_noise_/one.wav": "silence",
        "_silence_/one.wav": "silence",
        "yes/one.wav": "yes",
    }


def test_a_folder_without_sounds_is_refused(tmp_path: Path) -> None:
    for name in (KWS, "alexa"):
        with pytest.raises(BadInput, match="holds n"):
            resolved.samples_of(find("models", name), tmp_path)
    soundfile.write(tmp_path / "one.wav", noise(0.1), 16_000)
    assert len(resolved.samples_of(find("models", "alexa"), tmp_path)) == 1
    with pytest.raises(BadInput, match="one folder of sounds"):
        resolved.samples_of(chip(KWS), tmp_path)
    assert [sample.truth for sample in resolved.samples_of(find("models", KWS), tmp_path)] == ["unknown"]


@pytest.mark.parametrize("content", [b"", bytes(489), bytes(4900)])
def test_features_of_another_size_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(BadInput, match="49 x 10"):
        keyword([scores()])[0].predict(str(tmp_path / "a.bin"))
    with pytest.raises(BadInput, match="cannot be read"):
        keyword([scores()])[0].predict(tmp_path / "none.bin")


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "x.pt", "openai", {}, {}, {})
    with pytest.raises(BadInput, match=r"not a \.tflite"):
        find("models", "alexa").weights.prepare(checkpoint, tmp_path)


# -------------------------------------------------------------------------------------------------------- real networks


def real(name: str) -> Any:
    """The pipeline around the reference, with the published weights."""
    from edgekit.formats.checkpoint import read_checkpoint
    from edgekit.sources.fetching import fetch

    model = chip(name)
    folder, _ = fetch(model.weights.sources)
    checkpoint = read_checkpoint(folder)
    parts = {part.name: part.build(checkpoint) for part in model.network.parts if part.build is not None}
    parts |= find("exporters", "c").reference(model, checkpoint, folder, lambda *_: None)
    return predictor_of(model, parts, folder, model.weights.prepare(checkpoint, folder))


@pytest.mark.real
@pytest.mark.parametrize("name", WAKEWORDS)
def test_a_phrase_is_heard_in_its_golden_sound_and_in_no_other(name: str) -> None:
    spotter = real(name)
    for file in sorted(DATA.glob("golden-*.wav")):
        output = spotter.predict(str(file)).output
        assert output.startswith(f"{name} at 1.") if file.stem == f"golden-{name}" else output == "nothing", file
    assert spotter.predict(str(DATA / "jfk.flac")).output == "nothing"


@pytest.mark.real
def test_words_of_the_benchmark_are_told_apart(shared_data: Path) -> None:
    spotter = real(KWS)
    assert spotter.predict(str(DATA / "golden-yes.wav")).details["events"][0]["word"] == "yes"
    samples = resolved.samples_of(find("models", KWS), shared_data / "mlperf-tiny-kws")
    right = sum(spotter.predict(sample.input).output == sample.truth for sample in samples)
    assert right / len(samples) >= 0.9


@pytest.mark.real
def test_a_network_with_another_quantization_is_refused() -> None:
    from edgekit.formats.checkpoint import read_checkpoint
    from edgekit.sources.fetching import fetch

    folder, _ = fetch(find("models", "alexa").weights.sources)
    checkpoint = replace(read_checkpoint(folder), format="tflite")
    with pytest.raises(BadInput, match="another quantization"):
        chip(KWS).weights.prepare(checkpoint, folder)
