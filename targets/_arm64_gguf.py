"""gguf bundles on emulated 64-bit Arm: llama.cpp with the kernels for it, and whether it goes on with the same words.

``python -m edgekit.targets._arm64_gguf`` (``make phone-llama``) builds it once, from the source that the Python
bindings come with: some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit import llama
from edgekit.core import Feeds, Progress
from edgekit.errors import DeviceFailed, EdgekitError, MissingExtra, ParityFailed
from edgekit.targets._arm64_build import SOURCES, Tools, emulator

__all__ = ["NAME", "also", "feeds_of", "outputs_of", "tools"]

NAME = "llama.cpp"

#: Tokens that are generated after the golden input: seconds each.
_TOKENS = 8
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
    found = emulator()
    place = llama.crossed(SOURCES / "llama-arm64", _OPTIONS, _PROGRAM)
    if place is None:
        raise MissingExtra("llama.cpp for 64-bit Arm was not built.", hint=_HINT)
    return Tools(found, place / _PROGRAM, place)


def feeds_of(file: Path, feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    """`feeds`, with the wish to go on with the first as the golden input's answer does."""
    import numpy as np

    return [{**one, "generate": np.asarray(0 if i else _TOKENS, np.int32)} for i, one in enumerate(feeds)]


def outputs_of(file: Path, answers: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    return [{"logits": one["logits"]} for one in answers if "logits" in one]


def also(
    there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]], expected: str, processor: str
) -> Mapping[str, Any]:
    """Whether the device goes on with the golden input as this machine did, which generated the text `expected`.

    Returns:
        ``{"tokens": how many it generated, "same": how many of them before the first that says something else}``; and
        where there is such a one, ``"margin"``: by how many logits it was likelier there than the next, and
        ``"noise"``: by how many logits a likely token's differ between here and there.

    Raises:
        ParityFailed: another token, and no near tie: its margin is more than the noise explains.
        DeviceFailed: it did not tell.
    """
    try:
        text, pieces, margins = (there[0][name] for name in ("text", "pieces", "margins"))
    except (IndexError, KeyError) as exc:
        raise DeviceFailed("the device did not go on with the prompt.") from exc
    same = _agreed(text.tobytes(), pieces.tolist(), expected.encode())
    facts: dict[str, Any] = {"tokens": len(pieces), "same": same}
    if same == len(pieces):
        return facts
    facts |= {"margin": float(margins[same]), "noise": _noise(there[0]["logits"], here[0]["logits"])}
    if facts["margin"] > 2 * facts["noise"]:  # both of the two tokens may move, towards one another
        raise ParityFailed(
            f"on {processor} token {same + 1} of the golden answer is another one, by {facts['margin']:.3g} logits; "
            f"what two likely tokens differ by between here and there is {facts['noise']:.3g} at most.",
            hint="Report the model and its type: a kernel of llama.cpp is wrong there.",
        )
    return facts


def _agreed(said: bytes, pieces: Sequence[int], wanted: bytes) -> int:
    """How many tokens say what was wanted, from the first on. No bytes at the end are an end token."""
    at = 0
    for i, size in enumerate(pieces):
        ended = not size and i + 1 == len(pieces)
        if said[at : at + size] != wanted[at : at + size] or (ended and at < len(wanted)):
            return i
        at += size
    return len(pieces)


def _noise(there: Any, here: Any) -> float:
    """The largest difference of the logit of one of the two likeliest tokens here, over all positions."""
    import numpy as np

    likeliest = np.argsort(here, axis=-1)[:, -2:]
    return float(np.abs(np.take_along_axis(there - here, likeliest, axis=-1)).max())


def _main() -> int:
    try:
        print(llama.cross(SOURCES / "llama-arm64", _OPTIONS, _PROGRAM))
    except EdgekitError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
