"""Libraries and apps for every task that apps have a class for, of real bundles, as far as this machine runs them."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import absent
from helpers.devices.jvm import javac
from helpers.devices.packaging import tools

import edgekit
from edgekit.core import Bundle
from edgekit.targets.android.forms import java, native
from edgekit.targets.android.forms.archive import content
from edgekit.targets.android.forms.checks import check_archive
from edgekit.targets.common.apps import App, apps

#: The class that apps get -> the model that its packages are tried with.
MODELS = {
    "Classifier": "vit-fashion",
    "Forecaster": "fracast",
    "KeypointDetector": "hand-landmarks",
    "MusicTranscriber": "basic-pitch",
    "ObjectDetector": "blazeface",
    "PictureSegmenter": "selfie-segmentation",
    "Policy": "ant-policy",
    "SentenceEncoder": "all-minilm-l6-v2",
    "SpeakerVerifier": "ge2e-speaker",
    "SpeechDetector": "silero-vad",
    "SpeechSynthesizer": "piper-joe",
    "TextReader": "pp-ocr-v4",
    "Transcriber": "whisper-tiny-en",
    "WakeWordDetector": "ds-cnn-kws",
}
#: The same of classes that imported models alone have: a source of `helpers.hub.sources`.
IMPORTED = {"CtcTranscriber": "Wav2Vec2-CTC", "SoundClassifier": "AST", "TensorModel": "arrays.py"}


@pytest.fixture(scope="module")
def jni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C of an app, for this machine."""
    tools()
    if shutil.which("gcc") is None:
        absent("there is no gcc: make firmware-tools")
    folder = tmp_path_factory.mktemp("jni")
    library = folder / "libedgekit.so"
    flags = [*native.warnings, "-fPIC", "-shared", *native.headers(folder)]
    source = java.PHONE / "demo" / "graph_jni.c"
    subprocess.run(["gcc", *flags, source, "-o", library, "-ldl"], check=True)
    return library


@pytest.mark.real
@pytest.mark.parametrize("declared", apps(), ids=lambda declared: declared.api)
def test_packages_of_every_task(
    jni: Path,
    bundle_of: Callable[..., Bundle],
    imported: Callable[[str], str],
    tmp_path: Path,
    declared: App,
) -> None:
    """Both forms of a real bundle hold the task's loop and no other. The Java and C that a phone would run, over the
    assets of the app itself, pass the self-test on this machine's onnxruntime; a damaged asset fails it."""
    # In int8 the letters of random weights change with the last digit of a sound's mean.
    options = {} if declared.api in MODELS else {"precision": "fp32"}
    made = bundle_of(MODELS.get(declared.api) or imported(IMPORTED[declared.api]), "android", **options)
    bundle, manifest = made.path, made.manifest
    library = edgekit.package(bundle, "aar", out=tmp_path / "aar", options={"package": "com.example.it", "name": "it"})
    [archive] = library.rglob("*.aar")
    check_archive(archive)
    with zipfile.ZipFile(io.BytesIO(content(archive, "classes.jar"))) as jar:
        loops = {Path(name).stem for name in jar.namelist() if name.startswith("com/example/it/loops/")}
    assert loops & {app.loop for app in apps()} <= {declared.loop, *SHARED.get(declared.loop, ())}
    assert declared.java in (library / "README.md").read_text()
    app = edgekit.package(bundle, "apk", out=tmp_path / "app.apk")
    assets = tmp_path / "app" / "assets" / "edgekit"
    with zipfile.ZipFile(app) as archived:
        archived.extractall(tmp_path / "app")
        dex = archived.read("classes.dex")
    assert dex.startswith(b"dex\n035\0") and declared.loop.encode() in dex
    run = [*_program(declared, jni, tmp_path), str(assets), str(tmp_path / "installed")]
    lines = _output(run).splitlines()
    assert lines[0] == "PASS", lines
    measured = [line.partition(":")[0] for line in lines[2:] if " from fp32, at most " in line]
    assert measured == [part.name for part in manifest.parts]
    said = "\n".join(lines).partition("answer: ")[2].partition("\nexpected: ")[0]
    words = "words" in manifest.facts.get("rules", {})  # a pipeline of words tells the first; an app tells events
    assert said.startswith(manifest.golden.output) if words else said == manifest.golden.output
    damaged = assets / manifest.parts[-1].file
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    shutil.rmtree(tmp_path / "installed")
    assert _output(run).startswith(f"FAIL\nthe asset {damaged.name} is damaged")


#: Loops that others are made of.
SHARED = {"PictureKeypoints": ("BoxDetector",)}


def _program(declared: App, jni: Path, folder: Path) -> list[str]:
    """The app's Java, compiled, and a main in the place of its screen."""
    sources = folder / "sources"
    for file, text in java.sources_of(declared, ("runtime", "demo")):
        (sources / file.parent.name).mkdir(parents=True, exist_ok=True)
        (sources / file.parent.name / file.name).write_text(text)
    main = Path(__file__).parents[1] / "demo" / "DemoMain.java"
    classes = folder / "compiled"
    classes.mkdir()
    javac([*sources.rglob("*.java"), main], classes, classpath=str(java.stubs(folder)))
    memory = ["-Xmx1g", "-XX:TieredStopAtLevel=1"]
    return ["java", "-Xcheck:jni", *memory, "-cp", str(classes), "edgekit.phone.runtime.DemoMain", str(jni), _runtime()]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def _runtime() -> str:
    import onnxruntime

    return str(next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*")))
