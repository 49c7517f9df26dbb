"""litert bundles on 64-bit Arm: LiteRT's own library for it, and a part's tensors as a file holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.common.lazy import np
from edgekit.core import Feeds, Progress, Source, SourceFile
from edgekit.errors import DeviceFailed
from edgekit.formats import tflite
from edgekit.formats.tflite.tensors import Side, read_specs, sides_of
from edgekit.targets.android.arm64.kit import Kit, Tools, build_kit, compile_program, compiler, emulator, fetch_library

#: The runtime for Arm, pinned; bundles say in `versions` which version they were proven with here.
LIBRARY = Source(
    uri="pypi://ai-edge-litert",
    revision="2.3.0",
    licence="Apache-2.0",
    files=(
        SourceFile(
            "libLiteRt.so",
            "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b",
            5_991_672,
            ("pypi://ai-edge-litert@2.3.0/ai_edge_litert/libLiteRt.so?platform=manylinux_2_27_aarch64",),
        ),
    ),
)

#: The library itself does not tell its version.
NAME = f"LiteRT {LIBRARY.revision}"
ORIGIN = "the runtime is LiteRT's Linux build for 64-bit Arm; an app has the Android build of it"
#: Whether parts are language models, whose next tokens are compared and whose speed is in tokens per second.
LANGUAGE = False
#: What a part is called on a device: bundles may name it as they like.
SUFFIX = "tflite"


def tools(progress: Progress | None = None) -> Tools:
    """The tools for LiteRT, fetched and built where they are not there yet.

    Raises:
        MissingExtra: the compiler or the emulator is absent, or the library cannot be fetched.
        DeviceFailed: the compiler failed.
    """
    machine = emulator()
    library = fetch_library(LIBRARY, "LiteRT", progress)
    return Tools(machine, compile_program("replay_litert"), library)


def kit(progress: Progress | None = None) -> Kit:
    """What a phone takes. Raises as `tools` does, but no emulator is needed."""
    compiler()
    library = fetch_library(LIBRARY, "LiteRT", progress)
    return build_kit(compile_program("replay_litert"), {library.name: library}, library.name)


def versions(report: str) -> Mapping[str, str]:
    """For a report. `report`: what the program printed about its runtime, which is nothing."""
    return {"ai-edge-litert": LIBRARY.revision}


def feeds_of(file: Path, feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    """`feeds` as the .tflite holds them, in its order."""
    ins, _ = _read_sides(file)
    return [ins.encode(np.ascontiguousarray(call[spec.name]) for spec in ins.specs) for call in feeds]


def outputs_of(file: Path, answers: Sequence[Feeds]) -> Sequence[Feeds]:
    """What the program answered, in the dtypes that the part promises.

    Raises:
        DeviceFailed: these are other tensors than the file has.
    """
    _, outs = _read_sides(file)
    wanted = [(tensor.dtype, tensor.shape) for tensor in outs.tensors]
    if any([(value.dtype.name, value.shape) for value in answer.values()] != wanted for answer in answers):
        raise DeviceFailed(f"the device answered with other tensors than {file.name} has.")
    return [outs.decode(answer.values()) for answer in answers]


def _read_sides(file: Path) -> tuple[Side, Side]:
    return sides_of(tflite.read(file.read_bytes(), dynamic=True).subgraphs[0], read_specs(file))
