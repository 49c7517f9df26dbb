"""Streams of speech in Swift packages: the sequence that an app reads, and streams as Core ML has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.devices.jvm import Peer, started
from helpers.devices.spoken_stream import FACTS, Hearing, Said, describe, same_stream, script, sound, still, streamed
from helpers.toys.toy_whisper import ToyWhisper

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import makers
from edgekit.models.whisper.loop import stream as streaming
from edgekit.models.whisper.loop.pipeline import Transcriber
from edgekit.targets.common.apps import closure
from edgekit.targets.common.assets import write_assets
from edgekit.targets.ios.templates import TEMPLATES

pytestmark = pytest.mark.thorough
CHUNKS = [700, 1600]
TALK = [(0.4, 6.0), (8.5, 12.0)]
SECONDS = 14.0


class App:
    """The class that an app sees, over parts that hear a made-up talk."""

    def __init__(self, toy: ToyWhisper, peer: Peer) -> None:
        self.toy, self.peer, self.words = toy, peer, script(TALK)
        self.audio = sound(self.words, SECONDS)

    @property
    def said(self) -> list[str]:
        return [word.word.strip() for word in self.words]

    def python(self) -> tuple[list[str], Any]:
        """Python's events without the numbers of their chunks, and its whole answer."""
        parts = Hearing(self.toy, self.words).parts
        predictor = Transcriber(parts, self.toy.folder, {**self.toy.facts, **FACTS})
        events, whole = streamed(predictor, self.audio, CHUNKS, language="en")
        return [event.split("\t", 1)[1] for event in events], whole

    def ask(self, **given: Any) -> dict[str, Any]:
        self.peer.runners |= Hearing(self.toy, self.words).parts
        given = {"language": "en", **{name: np.asarray(value).reshape(-1) for name, value in given.items()}}
        answer = self.peer.ask(audio=self.audio, chunks=np.array(CHUNKS), api="", **given)
        assert "error" not in answer, answer["error"]
        assert int(answer["open"][0]) == 0, "a stream that has ended keeps no memory of the runtime"
        return answer


@pytest.fixture(scope="module")
def app(
    toy_whisper: ToyWhisper, loops_in: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    folder, parts = tmp_path_factory.mktemp("toy"), Hearing(toy_whisper, list[Said]()).parts
    describe(folder, toy_whisper, FACTS, parts)
    with started("swift", loops_in("swift"), folder, parts) as peer:
        yield App(toy_whisper, peer)


def words_of(answer: dict[str, Any]) -> list[str]:
    return [line.split("\t")[0] for line in answer["final"].splitlines()]


def test_an_app_reads_what_changed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of Python's stream, and a last one for the end."""
    monkeypatch.setattr(streaming, "time", still())
    events, whole = app.python()
    answer = app.ask(clock=np.float32(0))
    *heard, last = answer["heard"].splitlines()
    assert heard == events and len(events) > 10
    text, pending, notes = last.split("\t")
    assert (pending, notes) == ("", "") and whole.output.endswith(text)
    assert words_of(answer) == [word["word"] for word in whole.details["words"]] == app.said


def test_by_its_own_clock(app: App) -> None:
    """Readings come when they are done; what is said stays the same."""
    assert words_of(app.ask()) == app.said


def test_a_chunk_that_is_no_sound_is_heard_as_silence(app: App) -> None:
    answer = app.ask(clock=np.float32(0), bad=104)  # in the pause
    noted = [line for line in answer["heard"].splitlines() if line.split("\t")[2]]
    assert noted == ["\t\ta chunk holds values that are not numbers: silence in its place"]
    assert answer["final"] == app.ask(clock=np.float32(0))["final"], "the times are as before"


def test_what_is_refused_comes_to_the_reader(app: App) -> None:
    given = {"audio": app.audio, "chunks": np.array(CHUNKS), "api": ""}
    assert "ModelError: the language xx is not among" in app.peer.ask(**given, language="xx")["error"]


@pytest.mark.parametrize("given", [{"stop": 3}, {"cancel_after": 40}, {"cancel_after": 41}, {"cancel_after": 300}])
def test_whoever_stops_reading_leaves_a_model_that_works(app: App, given: dict[str, int]) -> None:
    """By leaving the loop, or by a cancelled task, wherever the work is then."""
    every = app.ask(clock=np.float32(0))["heard"].splitlines()
    answer = app.ask(clock=np.float32(0), **given)
    heard = answer["heard"].splitlines()
    assert heard == every[: len(heard)] and len(heard) < len(every)
    assert answer["later"].split() == app.said


def test_a_package_takes_what_streams_need() -> None:
    """And no package of another task does, though all have the same test file."""
    folders = [TEMPLATES / name for name in ("loops", "api")]
    tests = TEMPLATES / "package" / "ModelTests.swift"
    taken = {
        api: {file.stem for file in closure([TEMPLATES / "api" / f"{api}.swift", tests], folders)}
        for api in ("Transcriber", "WakeWordDetector")
    }
    streams = {"Heard", "WhisperAgreement", "WhisperStream"}
    assert streams < taken["Transcriber"] and not streams & taken["WakeWordDetector"]


@pytest.mark.real
@pytest.mark.slow
def test_streams_as_core_ml_has_them(
    speech: list[tuple[Path, str]], loops_in: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of whole seconds alone, caches that begin with a blank; the programs are interpreted."""
    monkeypatch.setattr(streaming, "time", still())
    options = {"shapes": "enumerated"}
    made = edgekit.export("whisper-base", "ios", out=tmp_path / "ios", fallback=False, evidence=False, options=options)
    bundle, assets = open_bundle(made.path), tmp_path / "assets"
    assets.mkdir()
    write_assets(bundle, assets)
    runtime = makers(bundle).runtime
    parts = {part.name: runtime.load(made.path / part.file, 1) for part in bundle.manifest.parts}
    audio = soundfile.read(speech[0][0], dtype="float32")[0][: 9 * 16_000]
    events, whole = streamed(edgekit.load(made.path, threads=1), audio, CHUNKS)
    with started("swift", loops_in("swift"), assets, parts) as peer:
        same_stream(events, whole, peer.ask(audio=audio, chunks=np.array(CHUNKS)))
    assert len(whole.details["words"]) > 10
