"""Swift of the packages for iPhones on this machine: what of it needs none of Apple's frameworks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from conftest import absent

from edgekit.targets._swift import TEMPLATES

HARNESS = Path(__file__).parent / "targets" / "swift"
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


def swift(verb: str, package: Path, *options: str) -> str:
    """``swift build`` or ``swift test``, with every warning an error; what it says."""
    if shutil.which("swift") is None:
        absent("there is no Swift compiler; get it with: make swift-tools")
    command = ["swift", verb, "--package-path", str(package), "-Xswiftc", "-warnings-as-errors", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def loops(out: Path) -> str:
    """All of the templates and the test's own main, compiled; the program."""
    model = out / "Sources" / "EdgekitModel"
    for name in ("loops", "api", "platform"):
        shutil.copytree(TEMPLATES / name, model / name)
    (model / "platform" / "Open.swift").unlink()  # of one class at a time
    (model / "Model").mkdir()
    (model / "Model" / "model.json").write_text("{}")
    shutil.copytree(TEMPLATES / "zip", out / "Sources" / "EdgekitModelZip")
    shutil.copytree(HARNESS, out / "Sources" / "Loops")
    (out / "Package.swift").write_text(_PACKAGE)
    swift("build", out, "-c", "release", "-Xswiftc", "-enable-testing")
    return str(out / ".build" / "release" / "Loops")
