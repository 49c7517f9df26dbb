"""The conversation of a Swift package on this machine: its sources over the libraries that the tests use anyway."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import absent
from helpers.devices.swift import swift

from edgekit.llama import build, library
from edgekit.targets.common.language import LAYER
from edgekit.targets.ios.chat import LOOPS
from edgekit.targets.ios.templates import TEMPLATES

PEER = Path(__file__).parents[2] / "targets" / "swift_chat"
_PACKAGE = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "Conversation",
    targets: [
        .target(
            name: "EdgekitModelNative", cxxSettings: [.unsafeFlags([%(headers)s])],
            linkerSettings: [.unsafeFlags([%(libraries)s])]),
        .target(name: "EdgekitModel", dependencies: ["EdgekitModelNative"], resources: [.copy("Model")]),
        .executableTarget(name: "Peer", dependencies: ["EdgekitModel"]),
    ],
    cxxLanguageStandard: .cxx17
)
"""


def compiled(out: Path) -> list[str]:
    """The package's conversation without llama.cpp's source, which takes minutes; the command that starts it."""
    libraries = library.libraries()
    if libraries is None:
        absent("there is no llama.cpp; get it with: make llama")
    origin = build.source() / "vendor" / "llama.cpp"
    native, model = out / "Sources" / "EdgekitModelNative", out / "Sources" / "EdgekitModel"
    (native / "include").mkdir(parents=True)
    for file in LAYER.iterdir():
        shutil.copyfile(file, native / "include" / file.name if file.name == "chat.h" else native / file.name)
    (model / "Model").mkdir(parents=True)
    (model / "Model" / "chat.json").write_text("{}")
    chat = [path for path in (TEMPLATES / "chat").glob("*.swift") if path.stem not in ("Package", "ChatTests")]
    for path in [*chat, *(TEMPLATES / "loops" / f"{name}.swift" for name in LOOPS)]:
        shutil.copyfile(path, model / path.name)
    shutil.copytree(PEER, out / "Sources" / "Peer")
    headers = _flags(f"-isystem{origin / 'include'}", f"-isystem{origin / 'ggml' / 'include'}", "-Wall", "-Werror")
    rpath = ("-Xlinker", "-rpath", "-Xlinker", str(libraries))
    linked = _flags(f"-L{libraries}", "-lllama", "-lggml", "-lggml-base", *rpath)
    (out / "Package.swift").write_text(_PACKAGE % {"headers": headers, "libraries": linked})
    swift("build", out, "-c", "release", "-Xswiftc", "-enable-testing")
    return [str(out / ".build" / "release" / "Peer")]


def _flags(*flags: str) -> str:
    return ", ".join(f'"{flag}"' for flag in flags)
