"""A language model as a Swift package: llama.cpp's source as a C target, our layer over it, and a conversation.

llama.cpp publishes no Swift package of its own any more, so its source goes in, in the version that proved the bundle.
Swift packages do not choose files by processor and generate none, so this writes what llama.cpp's CMake would.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.core import Bundle
from edgekit.targets.common.language import LAYER, Settings, write_language, write_source
from edgekit.targets.common.templates import words_of
from edgekit.targets.ios.templates import TEMPLATES, fill, plain

#: What a conversation takes of the loops that all tasks share.
LOOPS = ("Facts", "ModelError", "Turns")
_CHAT = ("Chat", "ChatDescription", "ChatLoop", "Decoding", "FreeMemory", "Language", "LookUp")
_NATIVE = ("kernels.c", "kernels_repack.cpp")
_PROCESSORS = ("arm", "x86")
#: Architectures of llama.cpp that are compiled at a time, as its own build does.
_TOGETHER = 16


def write(bundle: Bundle, out: Path, name: str, settings: Settings) -> None:
    """Write the package, its module called `name`, into the empty folder `out`.

    Args:
        settings: how the app converses.

    Raises:
        BadInput, Unsupported, MissingExtra, FetchFailed: see `edgekit.targets.common.language`.
    """
    sources = out / "Sources" / name
    (sources / "Model").mkdir(parents=True)
    size = sum(write_language(bundle, sources / "Model", settings).values())
    version = _write_native(out / "Sources" / f"{name}Native")
    words = _words(bundle, name, size, version)
    for loop in LOOPS:
        fill(f"loops/{loop}.swift", sources / f"{loop}.swift", words)
    for file in _CHAT:
        fill(f"chat/{file}.swift", sources / f"{file}.swift", words)
    fill("chat/Package.swift", out / "Package.swift", words)
    fill("chat/README.md", out / "README.md", words)
    fill("chat/ChatTests.swift", out / "Tests" / f"{name}Tests" / "ChatTests.swift", words)


def _write_native(out: Path) -> str:
    """Write the C target into the folder `out`; returns of which version llama.cpp is."""
    (out / "include").mkdir(parents=True)
    for file in sorted(LAYER.iterdir()):
        shutil.copyfile(file, out / "include" / file.name if file.name == "chat.h" else out / file.name)
    for name in _NATIVE:
        shutil.copyfile(TEMPLATES / "chat" / name, out / name)
    source = out / "llama.cpp"
    version = write_source(source)
    _strip(source)
    for library, where in (("llama", source / "src"), ("ggml", source / "ggml" / "src")):
        prefix = library.upper()
        text = f'#pragma once\n\n#define {prefix}_VERSION "{version}"\n#define {prefix}_COMMIT "unknown"\n'
        (where / f"{library}-version.h").write_text(text, encoding="ascii")
    models = sorted(path.name for path in (source / "src" / "models").glob("*.cpp"))
    for i in range(0, len(models), _TOGETHER):
        lines = [f'#include "llama.cpp/src/models/{model}"\n' for model in models[i : i + _TOGETHER]]
        (out / f"models{i // _TOGETHER}.cpp").write_text("".join(lines), encoding="ascii")
    return version


def _strip(source: Path) -> None:
    """Take away what is there for CMake, and for other processors."""
    for name in ("cmake", "vendor", "ggml/cmake"):
        shutil.rmtree(source / name)
    kernels = source / "ggml" / "src" / "ggml-cpu"
    for folder in [kernels / "cmake", *(path for path in kernels.glob("arch/*") if path.name not in _PROCESSORS)]:
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("kleidiai", "llamafile", "spacemit"):
        shutil.rmtree(kernels / name, ignore_errors=True)
    for file in [*source.rglob("CMakeLists.txt"), *source.rglob("*.in"), *kernels.glob("arch/*/cpu-feats.cpp")]:
        file.unlink()


def _words(bundle: Bundle, name: str, size: int, version: str) -> dict[str, str]:
    """Names in the templates -> what they become."""
    manifest = bundle.manifest
    return {
        "EdgekitModel": name,
        "edgekit-model": f"edgekit-{name}",
        "edgekit-description": plain(f"{manifest.model.name} ({manifest.recipe.precision})."),
        **words_of(manifest, size),
        "edgekit-library": version,
    }
