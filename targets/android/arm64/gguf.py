"""gguf bundles on 64-bit Arm: llama.cpp with the kernels for it, and whether it goes on with the same tokens.

``python -m edgekit.targets.android.arm64.gguf`` (``make phone-llama``) builds it once, from the source that the Python
bindings come with: some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.common.lazy import np
from edgekit.core import Feeds, Progress
from edgekit.errors import MissingExtra, ParityFailed, run_command
from edgekit.llama import build, library
from edgekit.targets.android.arm64.kit import SOURCES, Kit, Tools, build_kit, emulator

NAME = "llama.cpp"
ORIGIN = (
    "llama.cpp was built for Linux on 64-bit Arm, with kernels for products of bytes and for none of the newer "
    "extensions; an app has it built for Android"
)
LANGUAGE = True
#: What a part is called on a device: bundles may name it as they like.
SUFFIX = "gguf"

#: The relative difference that is allowed whatever the type costs.
_LEAST = 1e-2
#: And the largest: twice what this machine is away from itself in a coarse type (SmolLM2 135M in q2_k, 64 tokens one
#: by one and at once: 7.8 %).
_MOST = 0.2
_PROGRAM = "replay_gguf"
_OPTIONS = (
    *("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=ON", "CMAKE_SYSTEM_NAME=Linux", "CMAKE_SYSTEM_PROCESSOR=aarch64"),
    *("CMAKE_C_COMPILER=aarch64-linux-gnu-gcc", "CMAKE_CXX_COMPILER=aarch64-linux-gnu-g++"),
    *("GGML_NATIVE=OFF", "GGML_BACKEND_DL=ON", "GGML_CPU_ALL_VARIANTS=ON", "GGML_OPENMP=OFF"),
    *("LLAMA_CURL=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_BUILD_COMMON=OFF"),
    *(f"LLAMA_BUILD_{part}=OFF" for part in ("APP", "SERVER", "TESTS", "TOOLS", "EXAMPLES")),
)
_HINT = "In a checkout of edgekit: make phone-llama (Debian, Ubuntu; minutes)."


def tools(progress: Progress | None = None) -> Tools:
    """The program and the kernels, where they were built. Raises MissingExtra where they were not."""
    machine, place = emulator(), _build_folder()
    return Tools(machine, place / _PROGRAM, place)


def kit(progress: Progress | None = None) -> Kit:
    """What a phone takes. Raises as `tools` does, but no emulator is needed."""
    place = _build_folder()
    libraries = {file.name: file.resolve() for file in sorted(place.glob("lib*.so*"))}
    return build_kit(place / _PROGRAM, libraries, ".")


def _build_folder() -> Path:
    place = build.find_cross_build(SOURCES / "llama-arm64", _OPTIONS, _PROGRAM)
    if place is None:
        raise MissingExtra("llama.cpp for 64-bit Arm was not built.", hint=_HINT)
    return place


def versions(report: str) -> Mapping[str, str]:
    """For a report. `report`: what the program printed about its runtime, which are kernels."""
    return {"llama-cpp-python": library.VERSION}


def feeds_of(file: Path, feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    return feeds


def outputs_of(file: Path, answers: Sequence[Feeds]) -> Sequence[Feeds]:
    return answers


def check(part: str, processor: str, off: Mapping[str, float], mine: float) -> None:
    """Raises ParityFailed where kernels cost more than the type does here (`mine`), or 1 % where that costs nothing;
    and never more than 20 %, for types that cost so much that a kernel of zeros would be as near.

    They round activations to bytes, which a sum in another order tips over; so this machine is not equal to itself
    either: SmolLM2 135M in q4_k_m, 64 tokens one by one and at once, 5.8 %, where the type costs 18 %. In q8_0 that
    rounding is most of what the type costs: 3.9 % from here to there, 6 % from either to float.
    """
    limit = max(_LEAST, min(_MOST, mine))
    if not off["here"] <= limit:
        raise ParityFailed(
            f"the part {part!r} is {off['here']:.2%} away from this machine's answer on {processor}; the rounding of "
            f"activations explains {limit:.2%}.",
            hint="Report the model and its type: a kernel of llama.cpp is wrong there.",
        )


def greedy(there: Sequence[Feeds], here: Sequence[Feeds]) -> Mapping[str, float]:
    """Whether greedy decoding takes the same token there as here after every position of the golden input.

    Returns:
        ``{"positions": how many, "same": at how many it is the same token}``; and where tokens differ, ``"first"``: the
        first such position, ``"margin"``: by how many logits the token here was likelier than that there, at most.
    """
    mine, other = (np.concatenate([call["logits"] for call in side]) for side in (here, there))
    chosen, taken = mine.argmax(axis=-1), other.argmax(axis=-1)
    places = np.arange(len(mine))
    different = np.nonzero(chosen != taken)[0]
    facts: dict[str, float] = {"positions": len(mine), "same": len(mine) - len(different)}
    if len(different):
        margins = (mine[places, chosen] - mine[places, taken])[different]
        facts |= {"first": int(different[0]), "margin": float(margins.max())}
    return facts


if __name__ == "__main__":
    sys.exit(run_command(lambda: [build.cross(SOURCES / "llama-arm64", _OPTIONS, _PROGRAM)]))
