"""A language model as a Gradle module: llama.cpp's source, which the app's NDK compiles, and a conversation over it.

llama.cpp publishes no library for Android, so its source goes into the module, in the version that proved the bundle.
The templates are the files of `app/chat/`; the conversation is plain Java, and runs on any JVM.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.core import Bundle
from edgekit.targets.android.forms.checks import BASE_MODULE
from edgekit.targets.android.forms.names import Names
from edgekit.targets.android.forms.templates import fill, module_words, plain
from edgekit.targets.common.language import LAYER, Settings, write_language, write_source

_CHAT = ("ChatDescription", "ChatLoop", "Decoding", "Language", "LookUp", "NativeLanguage")
_LOOPS = (*(f"chat/{name}" for name in _CHAT), "java/Json", "java/Watch")
_KOTLIN = ("chat/Chat", "kotlin/ModelException", "kotlin/ModelFiles")


def write(bundle: Bundle, out: Path, names: Names, settings: Settings) -> None:
    """Write the module into the empty folder `out`.

    Args:
        settings: how the app converses.

    Raises:
        BadInput, Unsupported, MissingExtra, FetchFailed: see `edgekit.targets.common.language`.
    """
    assets = out / "src/main/assets" / names.name
    assets.mkdir(parents=True)
    sizes = write_language(bundle, assets, settings)
    packed = names.pack or sum(sizes.values()) > BASE_MODULE
    native = out / "src/main/cpp"
    version = write_source(native / "llama.cpp")
    for file in sorted(LAYER.iterdir()):
        shutil.copyfile(file, native / file.name)
    words = _words(bundle, names, sizes, packed, version)
    if packed:
        place = out / "pack/src/main/assets" / names.name
        place.mkdir(parents=True)
        weights = bundle.manifest.parts[0].file.rsplit("/", 1)[-1]
        shutil.move(assets / weights, place / weights)
        fill("gradle/pack.gradle.kts", out / "pack/build.gradle.kts", words)
    _module(out, names, words)


def _module(out: Path, names: Names, words: Mapping[str, str]) -> None:
    package = Path(*names.package.split("."))
    for name in _LOOPS:
        fill(f"{name}.java", out / "src/main/java" / package / "loops" / f"{Path(name).name}.java", words)
    for name in _KOTLIN:
        fill(f"{name}.kt", out / "src/main/kotlin" / package / f"{Path(name).name}.kt", words)
    for name in ("CMakeLists.txt", "chat_jni.cpp"):
        fill(f"chat/{name}", out / "src/main/cpp" / name, words)
    fill("chat/AndroidManifest.xml", out / "src/main/AndroidManifest.xml", words)
    fill("chat/consumer-rules.pro", out / "consumer-rules.pro", words)
    fill("chat/build.gradle.kts", out / "build.gradle.kts", words)
    fill("chat/README.md", out / "README.md", words)


def _words(bundle: Bundle, names: Names, sizes: Mapping[str, int], packed: bool, version: str) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    return {
        **module_words(manifest, names, sizes, packed),
        "edgekit/phone": names.package.replace(".", "/"),
        "edgekit-description": plain(f"{manifest.model.name} ({manifest.recipe.precision}), for Android 8 or later."),
        "edgekit-library": version,
    }
