"""onnx bundles on 64-bit Arm: onnxruntime's own library for it. The file's tensors are the part's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Feeds, Progress, Source, SourceFile
from edgekit.targets.android.arm64.kit import (
    HEADERS,
    Kit,
    Tools,
    build_kit,
    compile_program,
    compiler,
    emulator,
    fetch_library,
)

NAME = "onnxruntime"
ORIGIN = "the runtime is onnxruntime's Linux build for 64-bit Arm; an app has the Android build of it"
#: Whether parts are language models, whose next tokens are compared and whose speed is in tokens per second.
LANGUAGE = False
#: What a part is called on a device: bundles may name it as they like.
SUFFIX = "onnx"

#: The runtime for Arm, pinned; bundles say in `versions` which version they were proven with here.
LIBRARY = Source(
    uri="pypi://onnxruntime",
    revision="1.32.0",
    licence="MIT",
    files=(
        SourceFile(
            "libonnxruntime.so",
            "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
            27_165_936,
            ("pypi://onnxruntime@1.32.0/onnxruntime/capi/libonnxruntime.so.1.32.0?platform=manylinux_2_28_aarch64",),
        ),
    ),
)


def tools(progress: Progress | None = None) -> Tools:
    """The tools for onnxruntime, fetched and built where they are not there yet.

    Raises:
        MissingExtra: the compiler, the emulator or the runtime's headers are absent, or the library cannot be fetched.
        DeviceFailed: the compiler failed.
    """
    machine = emulator(_headers())
    library = fetch_library(LIBRARY, NAME, progress)
    return Tools(machine, compile_program("replay"), library)


def kit(progress: Progress | None = None) -> Kit:
    """What a phone takes. Raises as `tools` does, but no emulator is needed."""
    compiler(_headers())
    library = fetch_library(LIBRARY, NAME, progress)
    return build_kit(compile_program("replay"), {library.name: library}, library.name)


def _headers() -> dict[str, bool]:
    return {"onnxruntime's headers": HEADERS.is_dir()}


def versions(report: str) -> Mapping[str, str]:
    """For a report. `report`: what the program printed about its runtime."""
    return {"onnxruntime": report}


def feeds_of(file: Path, feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    return feeds


def outputs_of(file: Path, answers: Sequence[Feeds]) -> Sequence[Feeds]:
    return answers
