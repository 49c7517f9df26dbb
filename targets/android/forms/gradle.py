"""`edgekit package BUNDLE --as gradle`: a Gradle library module in Kotlin, with the model inside.

The templates are the files of `app/`, which compile as they are: the loops in plain Java, what touches Android in
Kotlin, the build file. Here their names are replaced, and only what the model's task and runtime need is taken.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.targets.android.forms.checks import BASE_MODULE
from edgekit.targets.android.forms.names import OPTIONS, Names, names_of
from edgekit.targets.common.assets import task_for, write_assets

__all__ = ["FORM", "Task", "task_of", "write"]

_PHONE = Path(__file__).parent.parent / "app"
#: Loops that every task uses.
_COMMON = ("Description", "Graph", "Json", "Numbers", "Samples", "SelfTest", "Tensor", "Vectors", "Watch")
_KOTLIN = ("Model", "ModelException", "ModelFiles", "ModelOptions", "SelfTestReport")


@dataclass(frozen=True)
class Task:
    """What a model of a family becomes: the class that the app sees, and its loops in Java."""

    api: str
    loops: tuple[str, ...]


_TASKS = {
    "whisper": Task(
        "Transcriber",
        (
            *("Pcg64", "SpeechListener", "SpeechSpans", "Transcript"),
            *("WhisperAttention", "WhisperDecoding", "WhisperHypotheses", "WhisperOptions"),
            *("WhisperPauses", "WhisperRecognizer", "WhisperRules", "WhisperRun", "WhisperSigns", "WhisperTokens"),
            *("WhisperTranscriber", "WhisperWords"),
        ),
    ),
    "vision": Task("Classifier", ("ImageClassifier", "Resample")),
    "speaker": Task("SpeakerVerifier", ("SpeakerEmbedder",)),
    "keyword": Task(
        "WakeWordDetector",
        (
            *("KeywordDetector", "KeywordEar", "KeywordEvent", "KeywordJudge", "KeywordRules", "KeywordWindowEar"),
            *("OpenWakewordEar", "WakewordStrideEar"),
        ),
    ),
}
_TASKS["openwakeword"] = _TASKS["keyword"]
#: Exporter -> its graph in Kotlin, and the extensions of its files.
_RUNTIMES = {"onnx": ("OnnxGraph", "onnx"), "litert": ("LiteRtGraph", "tflite")}


def task_of(bundle: Bundle) -> Task:
    """What the bundle becomes in an app.

    Raises:
        Unsupported: its exporter, options or family has no loop for phones.
    """
    manifest = bundle.manifest
    if manifest.recipe.exporter == "gguf":
        raise Unsupported(
            f"{bundle.path.name} cannot become a Gradle module: llama.cpp publishes no library for Android under Maven "
            "coordinates, so nothing could be named that this bundle was proven with.",
            hint="Build llama.cpp with the NDK (its examples/llama.android) and open the .gguf of the bundle by path.",
        )
    if manifest.recipe.exporter not in _RUNTIMES or manifest.recipe.options.get("io") == "int8":
        raise Unsupported(
            f"{bundle.path.name} cannot become a Gradle module: its files ({manifest.recipe.exporter}, "
            f"{manifest.recipe.precision}, {dict(manifest.recipe.options)}) have no loop for phones.",
            hint=f"Export it with --exporter {' or '.join(_RUNTIMES)}, without -o io=int8.",
        )
    return task_for(bundle, _TASKS, "a Gradle module", "phones")


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the module into the empty folder `out`.

    Args:
        options: see `names.OPTIONS`. More than Play delivers with an app goes into an asset pack anyway.

    Raises:
        BadInput: a name that is not legal, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it.
    """
    names, task = names_of(options, bundle.manifest.model.name), task_of(bundle)
    with boundary():
        assets = out / "src" / "main" / "assets" / names.name
        assets.mkdir(parents=True)
        sizes = write_assets(bundle, assets)
        packed = names.pack or sum(sizes.values()) > BASE_MODULE
        words = _words(bundle, names, task, sizes, packed)
        if packed:
            _pack(bundle, out, assets, names, words)
        _module(out, names, task, bundle.manifest.recipe.exporter, words)


def _module(out: Path, names: Names, task: Task, exporter: str, words: Mapping[str, str]) -> None:
    """Everything but the assets."""
    graph, _ = _RUNTIMES[exporter]
    package = Path(*names.package.split("."))
    for name in (*_COMMON, *task.loops):
        _fill(f"java/{name}.java", out / "src/main/java" / package / "loops" / f"{name}.java", words)
    for name in (*_KOTLIN, graph, task.api):
        _fill(f"kotlin/{name}.kt", out / "src/main/kotlin" / package / f"{name}.kt", words)
    _fill("gradle/ModelFilesTest.kt", out / "src/test/kotlin" / package / "ModelFilesTest.kt", words)
    _fill(
        "gradle/SelfTestOnDevice.kt",
        out / "src/androidTest/kotlin" / package / "SelfTestOnDevice.kt",
        {**words, "Transcriber": task.api},
    )
    _fill("gradle/AndroidManifest.xml", out / "src/main/AndroidManifest.xml", words)
    _fill(f"gradle/consumer-rules-{exporter}.pro", out / "consumer-rules.pro", words)
    _fill("gradle/build.gradle.kts", out / "build.gradle.kts", words)
    _fill("gradle/README.md", out / "README.md", words)


def _fill(template: str, out: Path, words: Mapping[str, str]) -> None:
    """Copy a template with its names replaced, the longest first."""
    text = (_PHONE / template).read_text(encoding="utf-8")
    for word in sorted(words, key=lambda word: (-len(word), word)):
        text = text.replace(word, words[word])
    out.parent.mkdir(parents=True, exist_ok=True)
    # Imports stay in order, whatever the package is called.
    text = re.sub(r"(?:^import .*\n)+", lambda run: "".join(sorted(run[0].splitlines(keepends=True))), text, flags=re.M)
    out.write_text(text, encoding="utf-8")


def _pack(bundle: Bundle, out: Path, assets: Path, names: Names, words: Mapping[str, str]) -> None:
    """Move the parts into an asset pack, a module beside the library's sources."""
    place = out / "pack" / "src" / "main" / "assets" / names.name
    place.mkdir(parents=True)
    for part in bundle.manifest.parts:
        name = part.file.rsplit("/", 1)[-1]
        shutil.move(assets / name, place / name)
    _fill("gradle/pack.gradle.kts", out / "pack" / "build.gradle.kts", words)


def _words(bundle: Bundle, names: Names, task: Task, sizes: Mapping[str, int], packed: bool) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    runtime = _coordinates(manifest)
    _, extension = _RUNTIMES[manifest.recipe.exporter]
    words = {
        "edgekit.phone": names.package,
        "edgekit-model": names.name,
        "edgekit_model": names.name.replace("-", "_").replace(".", "_"),
        "0.0.0-version": names.version,
        "edgekit-runtime": runtime,
        "edgekit-extensions": extension,
        "edgekit-description": _description(manifest),
        "edgekit-licence": _plain(manifest.licences.get("weights", "unknown")),
        "edgekit-include": _include(names.name, packed),
        "edgekit-application": _QUIET[manifest.recipe.exporter],
        "edgekit-quiet": _TOLD[manifest.recipe.exporter],
        "edgekit-app": f'    assetPacks += ":{names.name}-pack" // delivered beside the base module\n' * packed,
        "edgekit-plugin": _PLUGIN[names.agp],
        "edgekit-usage": (_PHONE / "gradle" / f"usage-{task.api}.kt").read_text(encoding="utf-8").rstrip(),
        "edgekit-size": f"{sum(sizes.values()) / 1e6:.1f}",
        "edgekit-source": _plain(f"{manifest.source.uri} {manifest.source.revision}".strip()),
        "edgekit-accuracy": _plain(f"{manifest.gate.verdict}: {manifest.gate.reason}"),
        "edgekit-bundle": _plain(manifest.digest),
    }
    if names.agp == 8:
        words['    id("com.android.library")\n'] = _KOTLIN_PLUGIN
    return words


#: ONNX Runtime for Android brings code that reports to its maker when the app starts; it is not started.
_QUIET = {
    "onnx": "    <application>\n"
    '        <provider android:name="ai.onnxruntime.TelemetryInitializer" tools:node="remove" />\n'
    "    </application>\n",
    "litert": "",
}
_TOLD = {
    "onnx": "ONNX Runtime would report to its maker; the module tells it not to before it is loaded.\n",
    "litert": "",
}
_KOTLIN_PLUGIN = '    id("com.android.library")\n    id("org.jetbrains.kotlin.android")\n'
_PLUGIN = {
    9: "The build file is for version 9 of the Android Gradle plugin, which compiles Kotlin by itself; for version 8 "
    "package with `-o agp=8`.",
    8: "The build file is for version 8 of the Android Gradle plugin, beside version 2 of the Kotlin plugin; for "
    "version 9 package with `-o agp=9`.",
}


def _include(name: str, packed: bool) -> str:
    """Lines for the app's settings."""
    modules = {name: name, f"{name}-pack": f"{name}/pack"} if packed else {name: name}
    lines = [f'include(":{item}")\nproject(":{item}").projectDir = file("../{at}")' for item, at in modules.items()]
    return "\n".join(["// where this folder lies, seen from the app's", *lines])


def _description(manifest: Any) -> str:
    text = f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}, for Android 8 or later."
    return _plain(text)


def _plain(text: str) -> str:
    """What a bundle says, for a build file that will be run: nothing in it can end a string or a line."""
    return re.sub(r"[^A-Za-z0-9 .,:;()+/@%=_-]", "", text)[:300]


def _coordinates(manifest: Any) -> str:
    """The runtime's Maven coordinates, as the bundle's target had them. Raises BadInput for anything else."""
    runtime = manifest.target.runtime.get(manifest.recipe.exporter, "")
    match = re.fullmatch(r"maven:([A-Za-z0-9._-]+(?::[A-Za-z0-9._-]+){2})", runtime)
    if not match:
        raise BadInput(f"the bundle names no runtime by Maven coordinates ({runtime!r}).", hint="Export it again.")
    return match[1]


#: Folders that Gradle and Android Studio leave in a module.
FORM = Form("-gradle", write, folder=True, options=OPTIONS, leftovers=("build", ".gradle", ".kotlin", ".cxx"))
