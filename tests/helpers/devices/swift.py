"""Swift of the packages for iPhones on this machine: what of it needs none of Apple's frameworks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from conftest import absent

from edgekit.targets.common.apps import apps
from edgekit.targets.ios.templates import TEMPLATES

HARNESS = Path(__file__).parents[2] / "targets" / "swift"
#: Modules with the names and signatures of Apple's: what uses them is read by the compiler here too.
STUBS = Path(__file__).parents[2] / "targets" / "swift_stubs"
API, LOOPS, PAGES = (TEMPLATES / name for name in ("api", "loops", "package"))
#: Folders of templates that touch Apple's frameworks.
_SYSTEMS = ("platform", "coreai")
_PACKAGE = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "Loops",
    targets: [
        .systemLibrary(name: "EdgekitModelZip"),
        .target(name: "EdgekitModel", dependencies: ["EdgekitModelZip"], resources: [.copy("Model")]),
        .executableTarget(name: "Loops", dependencies: ["EdgekitModel"]),
    ]
)
"""

_STUBBED = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "Stubbed",
    targets: [
        .systemLibrary(name: "EdgekitModelZip"),
        .target(name: "CoreML"),
        .target(name: "CoreGraphics"),
        .target(name: "CoreAIRuntime"),
        .target(name: "CoreAIDelegates", dependencies: ["CoreAIRuntime"]),
        .target(name: "CoreAI", dependencies: ["CoreAIDelegates", "CoreAIRuntime"]),
        .target(
            name: "EdgekitModel", dependencies: ["EdgekitModelZip", "CoreAI", "CoreML", "CoreGraphics"],
            resources: [.copy("Model")]),
    ]
)
"""


def swift(verb: str, package: Path, *options: str, environment: Mapping[str, str] | None = None) -> str:
    """``swift build`` or ``swift test``, with every warning an error; what it says."""
    if shutil.which("swift") is None:
        absent("there is no Swift compiler; get it with: make swift-tools")
    command = ["swift", verb, "--package-path", str(package), "-Xswiftc", "-warnings-as-errors", *options]
    variables = os.environ | dict(environment or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def loops(out: Path) -> str:
    """All of the templates and the test's own main, compiled; the program."""
    _templates(out)
    shutil.copytree(HARNESS, out / "Sources" / "Loops")
    (out / "Package.swift").write_text(_PACKAGE)
    swift("build", out, "-c", "release", "-Xswiftc", "-enable-testing")
    return str(out / ".build" / "release" / "Loops")


def against_stubs(out: Path) -> None:
    """All of the templates, those that need Apple's frameworks too, compiled against stubs of these."""
    _templates(out)
    for system in _SYSTEMS:
        opened = (TEMPLATES / system / "Open.swift").read_text(encoding="utf-8")
        for app in apps():
            place = out / "Sources" / "EdgekitModel" / system / f"{system}-{app.api}.swift"
            place.write_text(opened.replace("EdgekitAPI", app.api), encoding="utf-8")
    for stub in STUBS.iterdir():
        shutil.copytree(stub, out / "Sources" / stub.name)
    (out / "Package.swift").write_text(_STUBBED)
    swift("build", out)


def add_stubs(package: Path, module: str, *stubs: str) -> None:
    """Give a package the modules `stubs`, each of which may import those after it."""
    manifest = package / "Package.swift"
    text = manifest.read_text(encoding="utf-8")
    targets = [
        f'        .target(name: "{name}", dependencies: [{_names(stubs[place + 1 :])}]),'
        for place, name in enumerate(stubs)
    ]
    text = text.replace("    targets: [\n", "\n".join(["    targets: [", *targets, ""]))
    text = text.replace(f'.target(name: "{module}",', f'.target(name: "{module}", dependencies: [{_names(stubs)}],')
    manifest.write_text(text, encoding="utf-8")
    for name in stubs:
        shutil.copytree(STUBS / name, package / "Sources" / name)


def _names(modules: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in modules)


def _templates(out: Path) -> None:
    model = out / "Sources" / "EdgekitModel"
    for name in ("loops", "api", *_SYSTEMS):
        shutil.copytree(TEMPLATES / name, model / name)
    for system in _SYSTEMS:
        (model / system / "Open.swift").unlink()  # of one class at a time
    (model / "Model").mkdir()
    (model / "Model" / "model.json").write_text("{}")
    shutil.copytree(TEMPLATES / "zip", out / "Sources" / "EdgekitModelZip")
