"""`edgekit package BUNDLE --as gradle`: a Gradle library module in Kotlin, with the model inside.

The templates are the files of `app/`, which compile as they are: the loops in plain Java, what touches Android in
Kotlin, the build file. Here their names are replaced, and only what the model's task and runtime need is taken.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.packed import plain_name
from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.targets.android.forms import chat
from edgekit.targets.android.forms.checks import BASE_MODULE
from edgekit.targets.android.forms.names import OPTIONS, Names, names_of
from edgekit.targets.android.forms.templates import PHONE, fill, module_words, plain
from edgekit.targets.common.apps import App, app_for, closure
from edgekit.targets.common.assets import write_assets
from edgekit.targets.common.language import OPTIONS as CHAT
from edgekit.targets.common.language import no_chat, settings_of

#: Exporter -> its graph in Kotlin, and the extensions of its files.
_RUNTIMES = {"onnx": ("OnnxGraph", "onnx"), "litert": ("LiteRtGraph", "tflite")}


def app_of(bundle: Bundle) -> App:
    """The class that an app gets for the bundle.

    Raises:
        Unsupported: its exporter, options or task has no loop for phones, or the loop lacks one of its facts.
    """
    manifest = bundle.manifest
    if manifest.recipe.exporter not in _RUNTIMES or manifest.recipe.options.get("io") == "int8":
        raise Unsupported(
            f"{bundle.path.name} cannot become a Gradle module: its files ({manifest.recipe.exporter}, "
            f"{manifest.recipe.precision}, {dict(manifest.recipe.options)}) have no loop for phones.",
            hint="Export it with --runtime onnxruntime or litert, without -o io=int8.",
        )
    return app_for(bundle, PHONE / "kotlin", "a Gradle module", "phones")


def write(bundle: Bundle, out: Path, options: Mapping[str, str]) -> None:
    """Write the module into the empty folder `out`.

    Args:
        options: see `names.OPTIONS`. More than Play delivers with an app goes into an asset pack anyway.

    Raises:
        BadInput: a name that is not legal, or a bundle whose golden files are not what they should be.
        Unsupported: no loop for it.
    """
    if bundle.manifest.recipe.exporter == "gguf":
        names = names_of(options, bundle.manifest.model.name)
        with boundary():
            chat.write(bundle, out, names, settings_of(options))
        return
    no_chat(bundle, options)
    app = app_of(bundle)  # before the names: nobody should mend a name for a module that cannot be
    names = names_of(options, bundle.manifest.model.name)
    with boundary():
        assets = out / "src" / "main" / "assets" / names.name
        assets.mkdir(parents=True)
        sizes = write_assets(bundle, assets)
        packed = names.pack or sum(sizes.values()) > BASE_MODULE
        words = _words(bundle, names, app, sizes, packed)
        if packed:
            _pack(bundle, out, assets, names, words)
        _module(out, names, app, bundle.manifest.recipe.exporter, words)


def _module(out: Path, names: Names, app: App, exporter: str, words: Mapping[str, str]) -> None:
    """Everything but the assets."""
    graph, _ = _RUNTIMES[exporter]
    package = Path(*names.package.split("."))
    places = {"java": out / "src/main/java" / package / "loops", "kotlin": out / "src/main/kotlin" / package}
    first = [PHONE / "kotlin" / f"{name}.kt" for name in ("Model", graph, app.api)]
    for file in closure(first, [PHONE / "java", PHONE / "kotlin"]):
        fill(f"{file.parent.name}/{file.name}", places[file.parent.name] / file.name, words)
    fill("gradle/ModelFilesTest.kt", out / "src/test/kotlin" / package / "ModelFilesTest.kt", words)
    fill(
        "gradle/SelfTestOnDevice.kt",
        out / "src/androidTest/kotlin" / package / "SelfTestOnDevice.kt",
        {**words, "Transcriber": app.api},
    )
    fill("gradle/AndroidManifest.xml", out / "src/main/AndroidManifest.xml", words)
    fill(f"gradle/consumer-rules-{exporter}.pro", out / "consumer-rules.pro", words)
    fill("gradle/build.gradle.kts", out / "build.gradle.kts", words)
    fill("gradle/README.md", out / "README.md", words)


def _pack(bundle: Bundle, out: Path, assets: Path, names: Names, words: Mapping[str, str]) -> None:
    """Move the parts into an asset pack, a module beside the library's sources."""
    place = out / "pack" / "src" / "main" / "assets" / names.name
    place.mkdir(parents=True)
    for part in bundle.manifest.parts:
        name = plain_name(part.file.rsplit("/", 1)[-1])
        shutil.move(assets / name, place / name)
    fill("gradle/pack.gradle.kts", out / "pack" / "build.gradle.kts", words)


def _words(bundle: Bundle, names: Names, app: App, sizes: Mapping[str, int], packed: bool) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    runtime = _coordinates(manifest)
    _, extension = _RUNTIMES[manifest.recipe.exporter]
    return {
        **module_words(manifest, names, sizes, packed),
        "edgekit-runtime": runtime,
        "edgekit-extensions": extension,
        "edgekit-description": _description(manifest),
        "edgekit-application": _QUIET[manifest.recipe.exporter],
        "edgekit-quiet": _TOLD[manifest.recipe.exporter],
        "edgekit-usage": (PHONE / "gradle" / f"usage-{app.api}.kt").read_text(encoding="utf-8").rstrip(),
    }


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


def _description(manifest: Any) -> str:
    text = f"{manifest.model.name} ({manifest.model.task}), {manifest.recipe.precision}, for Android 8 or later."
    return plain(text)


def _coordinates(manifest: Any) -> str:
    """The runtime's Maven coordinates, as the bundle's target had them. Raises BadInput for anything else."""
    runtime = manifest.app_dependency
    match = re.fullmatch(r"maven:([A-Za-z0-9._-]+(?::[A-Za-z0-9._-]+){2})", runtime)
    if not match:
        raise BadInput(f"the bundle names no runtime by Maven coordinates ({runtime!r}).", hint="Export it again.")
    return match[1]


#: Folders that Gradle and Android Studio leave in a module.
FORM = Form(
    "-gradle", write, folder=True, options={**OPTIONS, **CHAT}, leftovers=("build", ".gradle", ".kotlin", ".cxx")
)
