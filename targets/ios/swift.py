"""`edgekit package BUNDLE --as swift`: a Swift package with the model inside.

The templates are the files of `apple/`, which compile as they are: the loops (`loops/`, without any of Apple's
frameworks but Foundation), the class that an app sees (`api/`), and what touches Core ML (`platform/`). Here their
names are replaced, and only what the model's task needs is taken. Language models: `edgekit.targets.ios.chat`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.targets.common.assets import task_for, write_assets
from edgekit.targets.common.language import SCHEMAS, grammars, no_schemas
from edgekit.targets.ios import chat
from edgekit.targets.ios.templates import TEMPLATES, fill, plain

__all__ = ["FORM", "Task", "task_of", "write"]

_OPTIONS = {"name": "of the package and its module, such as SpeechModel", **SCHEMAS}

#: Loops that every task uses.
_COMMON = ("Description", "Facts", "ModelError", "Numbers", "Samples", "SelfTest", "Tensor", "Turns", "Vectors")


@dataclass(frozen=True)
class Task:
    """What a model of a family becomes: the class that the app sees, its loops, and what else it takes."""

    api: str
    loops: tuple[str, ...]
    platform: tuple[str, ...] = ()
    zip: bool = False


_KEYWORDS = Task("WakeWordDetector", ("KeywordDetector", "KeywordEar", "KeywordJudge", "KeywordRules"))
_TASKS = {
    "whisper": Task(
        "Transcriber",
        (
            *("Pcg64", "SpeechListener", "SpeechSpans", "Transcript"),
            *("WhisperAttention", "WhisperDecoding", "WhisperHypotheses", "WhisperOptions"),
            *("WhisperPauses", "WhisperRecognizer", "WhisperRules", "WhisperSigns", "WhisperTokens"),
            *("WhisperTranscriber", "WhisperWords"),
        ),
        zip=True,
    ),
    "vision": Task("Classifier", ("ImageClassifier", "Pixels", "Resample"), ("Picture",)),
    "speaker": Task("SpeakerVerifier", ("SpeakerEmbedder",)),
    "keyword": _KEYWORDS,
    "openwakeword": _KEYWORDS,
}
#: iOS -> the macOS of the same year: the package's tests run on a Mac.
_MACS = {16: 13, 17: 14, 18: 15}
#: Words that no module can be called by, and modules that the package itself uses.
_TAKEN = """
    Any Self Type Protocol Swift Foundation CoreML CoreGraphics CryptoKit XCTest Bundle Model
    Transcriber Classifier SpeakerVerifier WakeWordDetector Chat Answer Sampling
"""


def task_of(bundle: Bundle) -> Task:
    """What the bundle becomes in an app.

    Raises:
        Unsupported: its exporter or family has no loop for iPhones.
    """
    manifest = bundle.manifest
    if manifest.recipe.exporter != "coreml":
        raise Unsupported(
            f"{bundle.path.name} cannot become a Swift package: its files are those of the {manifest.recipe.exporter} "
            "exporter, and the package runs Core ML.",
            hint="The app runs this .tflite by the pod TensorFlowLiteSwift; see the bundle's README."
            if manifest.recipe.exporter == "litert"
            else f"edgekit export {manifest.model.name} --target ios --exporter coreml",
        )
    return task_for(bundle, _TASKS, "a Swift package", "iPhones")


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the package into the empty folder `out`.

    Args:
        options: ``name``; of language models ``schemas``, too.

    Raises:
        BadInput: a name that is no Swift module's, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it, or a chat template that an app cannot follow.
    """
    name = _name(options.get("name"), bundle.manifest.model.name)
    if bundle.manifest.recipe.exporter == "gguf":
        with boundary():
            chat.write(bundle, out, name, grammars(options))
        return
    no_schemas(bundle, options)
    task = task_of(bundle)
    with boundary():
        sources = out / "Sources" / name
        (sources / "Model").mkdir(parents=True)
        size = sum(write_assets(bundle, sources / "Model").values())
        words = _words(bundle, task, name, size)
        for loop in (*_COMMON, *task.loops):
            fill(f"loops/{loop}.swift", sources / f"{loop}.swift", words)
        for api in ("Model", task.api):
            fill(f"api/{api}.swift", sources / f"{api}.swift", words)
        for platform in ("Compiled", "CoreMLGraph", "Open", *task.platform):
            fill(f"platform/{platform}.swift", sources / f"{platform}.swift", words)
        if task.zip:
            for file in ("module.modulemap", "zip.h"):
                fill(f"zip/{file}", out / "Sources" / f"{name}Zip" / file, words)
        fill("package/Package.swift", out / "Package.swift", words)
        fill("package/README.md", out / "README.md", words)
        fill("package/ModelTests.swift", out / "Tests" / f"{name}Tests" / "ModelTests.swift", words)


def _name(asked: str | None, model: str) -> str:
    """A module's name. Raises BadInput for a name that Swift does not take."""
    name = asked if asked is not None else "".join(part[:1].upper() + part[1:] for part in re.findall(r"\w+", model))
    name = name if asked is not None or not name[:1].isdigit() else f"Model{name}"
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,60}", name) or name in _TAKEN.split():
        raise BadInput(
            f"{name!r} cannot name a Swift module: letters and digits, a capital first, no word that is taken.",
            hint="Such as: -o name=SpeechModel",
        )
    return name


def _words(bundle: Bundle, task: Task, name: str, size: int) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    ios = _system(manifest)
    words = {
        "EdgekitModel": name,
        "EdgekitAPI": task.api,
        "edgekit-model": f"edgekit-{name}",
        ".iOS(.v16), .macOS(.v13)": f".iOS(.v{ios}), .macOS(.v{_MACS[ios]})",
        "edgekit-ios": str(ios),
        "edgekit-description": plain(f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}."),
        "edgekit-usage": (TEMPLATES / "package" / f"usage-{task.api}.swift").read_text(encoding="utf-8").rstrip(),
        "edgekit-size": f"{size / 1e6:.1f}",
        "edgekit-source": plain(f"{manifest.source.uri} {manifest.source.revision}".strip()),
        "edgekit-accuracy": plain(f"{manifest.gate.verdict}: {manifest.gate.reason}"),
        "edgekit-bundle": plain(manifest.digest),
    }
    if not task.zip:
        words['        .systemLibrary(name: "EdgekitModelZip"),\n'] = ""
        words[' dependencies: ["EdgekitModelZip"],'] = ""
    return words


def _system(manifest: Any) -> int:
    """The oldest iOS that loads every part. Raises BadInput where a part does not say it."""
    systems = {part.census.get("ios") for part in manifest.parts}
    if not systems <= _MACS.keys():
        raise BadInput("the bundle does not say which iOS its parts need.", hint="Export it again.")
    return max(int(system) for system in systems)


#: Folders that Swift and Xcode leave in a package.
FORM = Form("-swift", write, folder=True, options=_OPTIONS, leftovers=(".build", ".swiftpm", "Package.resolved"))
