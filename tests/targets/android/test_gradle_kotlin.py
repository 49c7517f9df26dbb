"""The module's Kotlin, compiled by a real compiler against stand-ins for Android and the runtimes, and run on this JVM.

Not Gradle, not Android: what only they can tell is in docs/android.md.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.whisper_cases import Phrase, sound
from helpers.devices.jvm import HARNESS, JAVA, App, javac, kotlin_jars, kotlinc
from helpers.devices.phone_bundles import stream_bundle, toy_whisper_bundle, toys
from helpers.devices.spoken_stream import FACTS, Hearing, script, still, streamed
from helpers.devices.spoken_stream import sound as sound_of
from helpers.toys.toy_whisper import ScriptedDecoder, ToyWhisper, says

import edgekit
from edgekit.bundles.golden import reference_of
from edgekit.core import Runner
from edgekit.models.whisper.loop import stream as streaming
from edgekit.models.whisper.loop.pipeline import Transcriber
from edgekit.numerics.parity import Recorder

pytestmark = pytest.mark.thorough

NAMED = {"package": "com.example.speech", "name": "speech"}
_JUNIT = [Path("/usr/share/java/junit4.jar"), Path("/usr/share/java/hamcrest.jar")]


@pytest.fixture
def transcriber(toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, onnx_app: str) -> Iterator[App]:
    """Whisper's toy, whose golden input says "hello." """

    def decoder() -> ScriptedDecoder:
        return says([say("hello.")] * 20)

    bare = toy_whisper_bundle(tmp_path / "bare", toy_whisper)
    _, heard = toy_whisper.transcriber(decoder())
    runners: dict[str, Runner] = {"frontend": heard.frontend, "encoder": heard.encoder, "decoder": decoder()}
    parts = {name: Recorder(runner) for name, runner in runners.items()}
    Transcriber(parts, toy_whisper.folder, toy_whisper.facts).predict(bare / "golden" / "input.wav")
    bundle = toy_whisper_bundle(tmp_path / "b", toy_whisper, reference=reference_of(parts), answer="hello.")
    _, sounds = toy_whisper.transcriber(decoder())
    runners = {"frontend": sounds.frontend, "encoder": sounds.encoder, "decoder": decoder()}
    with App(onnx_app, tmp_path / "app", bundle, runners) as one:
        yield one


def asked(one: App, **given: Any) -> dict[str, Any]:
    answer = one.jvm.ask(api="Transcriber", **given)
    if "error" not in answer:
        assert answer["native"].tolist() == [0, 0], "every tensor and every session of the runtime is closed"
    return answer


def test_a_transcriber(transcriber: App) -> None:
    answer = asked(transcriber, audio=sound(3.0))
    assert answer["text"] == "hello." and answer["languages"] == "en zh de haw yue"
    copied = {path.name: path.stat().st_size for path in transcriber.files.rglob("*") if path.is_file()}
    assert set(transcriber.names.values()) <= set(copied), "files are named after what is in them"
    assert not any(name.endswith(".part") for name in copied)
    assert "error" not in asked(transcriber, audio=sound(45.0), timestamps=np.zeros(0, np.int64))


def test_the_first_launch_tests_itself_once(transcriber: App) -> None:
    decoder: Any = transcriber.runners[transcriber.names["decoder"]]
    assert "error" not in asked(transcriber, audio=sound(3.0), policy="FIRST_LAUNCH")
    first, decoder.steps = decoder.steps, 0
    assert "error" not in asked(transcriber, audio=sound(3.0), policy="FIRST_LAUNCH")
    assert 0 < decoder.steps < first, "the second launch does not test"
    report = asked(transcriber)
    assert report["parts"] == "frontend encoder decoder" and int(report["passed"][0]) == 1
    assert report["errors"].max() < 1e-6 and report["answer"] == report["expected"] == "hello."


@pytest.mark.parametrize("part", ["frontend", "encoder", "decoder"])
def test_a_phone_that_computes_something_else_is_found(transcriber: App, part: str) -> None:
    name = transcriber.names[part]
    right = transcriber.runners[name]

    class Wrong:
        inputs, outputs = right.inputs, right.outputs

        def __call__(self, feeds: Any) -> Any:
            return {key: value + 3 if key != "present_key_0" else value for key, value in right(feeds).items()}

    transcriber.runners[name] = Wrong()
    answer = transcriber.jvm.ask(api="Transcriber", policy="FIRST_LAUNCH", audio=sound(3.0))
    assert "SelfTestFailed" in answer["error"] and part in answer["error"]
    transcriber.runners[name] = right
    decoder: Any = transcriber.runners[transcriber.names["decoder"]]
    decoder.steps = 0
    assert "error" not in asked(transcriber, audio=sound(3.0), policy="FIRST_LAUNCH")
    assert decoder.steps > len("hello.") + 4, "it was not noted as good"


def test_calls_are_cancelled_and_the_memory_given_back(transcriber: App) -> None:
    answer = asked(transcriber, audio=sound(3.0), cancel=np.zeros(0, np.int64))
    assert answer["text"] == "hello.", answer.get("error")


def test_two_at_once_and_one_that_is_closed_while_it_works(transcriber: App) -> None:
    answer = asked(transcriber, audio=sound(3.0), twice=np.zeros(0, np.int64))
    assert "error" not in answer, answer["error"]


def test_a_stream(toy_whisper: ToyWhisper, tmp_path: Path, onnx_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow tells what Python's stream tells; the app also cancels one, and runs two at a time."""
    monkeypatch.setattr(streaming, "time", still())
    words = script([(0.4, 3.0), (5.0, 7.0)])
    bundle = stream_bundle(tmp_path / "b", toy_whisper)
    ours, theirs = Hearing(toy_whisper, words), Hearing(toy_whisper, words)
    python = Transcriber(ours.parts, toy_whisper.folder, {**toy_whisper.facts, **FACTS})
    # The app's clock goes on: with chunks of a second a reading may take 0.9 s before steps grow longer.
    events, whole = streamed(python, sound_of(words, 9.0), [16_000], language="en")
    with App(onnx_app, tmp_path / "app", bundle, theirs.parts) as one:
        answer = asked(one, audio=sound_of(words, 9.0), chunks=np.array([16_000]))
    assert "error" not in answer, answer["error"]
    *heard, last = answer["heard"].splitlines()
    assert heard == [event.split("\t", 1)[1] for event in events] and last == "\t\t"
    told = [line.split("\t") for line in answer["words"].splitlines()]
    assert [word for word, *_ in told] == [word["word"] for word in whole.details["words"]]
    assert [word for word, *_ in told] == [word.word.strip() for word in words]


def test_damaged_assets_are_refused(transcriber: App) -> None:
    file = transcriber.assets / "decoder.onnx"
    whole = file.read_bytes()
    file.write_bytes(b"x" * len(whole))
    assert "damaged" in transcriber.jvm.ask(api="Transcriber", audio=sound(3.0))["error"]
    file.unlink()
    assert "cannot be copied" in transcriber.jvm.ask(api="Transcriber", audio=sound(3.0))["error"]
    file.write_bytes(whole)
    assert asked(transcriber, audio=sound(3.0))["text"] == "hello."
    assert "too short" in transcriber.jvm.ask(api="Transcriber", audio=sound(0.01))["error"]


# ------------------------------------------------------------------------------------------- the module that is written


def test_a_written_module_compiles_and_its_own_tests_pass(
    toy_whisper: ToyWhisper, tmp_path: Path, run_tests: Callable[[Path], str]
) -> None:
    bundle = toys(tmp_path / "toys", toy_whisper)["vision"]
    for name, options in (("plain", {}), ("packed", {"pack": "yes"})):
        module = edgekit.package(bundle, "gradle", out=tmp_path / name, options={**NAMED, **options})
        if name == "plain":
            _compile(module, tmp_path / "classes")
        told = run_tests(module)
        assert "OK (6 tests)" in told, told


@pytest.fixture
def run_tests(tmp_path: Path) -> Callable[[Path], str]:
    def give(module: Path) -> str:
        classpath = ":".join([*map(str, (tmp_path / "classes").iterdir()), *map(str, _JUNIT), *kotlin_jars()])
        command = ["java", "-cp", classpath, "org.junit.runner.JUnitCore", "com.example.speech.ModelFilesTest"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=module, check=False)
        return done.stdout + done.stderr

    return give


def _compile(module: Path, out: Path) -> None:
    """All that is in the module; stand-ins first, whose own package is that of the templates."""
    if not _JUNIT[0].is_file():
        absent("there is no JUnit; get it with: make android-tools")
    for name in ("stubs", "java", "kotlin"):
        (out / name).mkdir(parents=True)
    harness = [*(HARNESS / "stubs").glob("*.java"), *(HARNESS / "androidx").glob("*.java"), HARNESS / "Peer.java"]
    javac([*harness, *JAVA.glob("*.java")], out / "stubs", classpath=":".join(map(str, _JUNIT)))
    javac([*(module / "src/main/java").rglob("*.java")], out / "java")
    jars = [str(out / "stubs"), str(out / "java"), *map(str, _JUNIT)]
    sources = [file for part in ("main", "test", "androidTest") for file in (module / "src" / part).rglob("*.kt")]
    kotlinc(sources, out / "kotlin", jars)


def test_the_loops_of_every_task_compile_alone(toy_whisper: ToyWhisper, tmp_path: Path) -> None:
    for name, bundle in toys(tmp_path / "toys", toy_whisper).items():
        module = edgekit.package(bundle, "gradle", out=tmp_path / name, options=NAMED)
        (tmp_path / f"{name}-classes").mkdir()
        javac([*(module / "src/main/java").rglob("*.java")], tmp_path / f"{name}-classes")
        shutil.rmtree(module)
