"""Is there room in memory? Asked before llama.cpp takes it: what is too large the system ends later, without a word.

Only what is certain is counted: the weights, which every token reads, and the keys and values of a context, which are
written when it is made. Where the system does not tell what is free, nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekit.core import Facts
from edgekit.errors import OverBudget

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_HINT = "Choose a smaller --precision or model, or free memory."


def check(name: str, what: str, need: int, hint: str = _HINT) -> None:
    """Raise OverBudget, with both numbers, where `need` bytes are more than this machine can give."""
    have = available()
    if have is not None and need > have:
        raise OverBudget(
            f"{what} of {name} need {need / 1e6:,.0f} MB of RAM; {have / 1e6:,.0f} MB are free.", hint=hint
        )


def available() -> int | None:
    """Bytes that this process can still take without swapping; None if unknown.

    What the kernel calls available (it counts cached files, which it can drop), within the limit of every control
    group (a container's, version 2) that the process is in.
    """
    limits = [*_system(), *_limits()]
    return max(0, min(limits)) if limits else None


def _system() -> Iterator[int]:
    for line in _lines(_PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _limits() -> Iterator[int]:
    """What the limit of each group leaves: files in its cache that were not used lately do not count."""
    inside = next((line[3:] for line in _lines(_PROC / "self" / "cgroup") if line.startswith("0::")), "/")
    group = _GROUPS / inside.lstrip("/")
    for place in (group, *group.parents):
        if not place.is_relative_to(_GROUPS):
            return
        most, used = _number(place / "memory.max"), _number(place / "memory.current")
        if most is not None and used is not None:
            stat = dict(line.split() for line in _lines(place / "memory.stat"))
            yield most - used + int(stat.get("inactive_file", 0))


def cache_size(metadata: Facts, tokens: int, cache: str = "f16") -> int:
    """Bytes of keys and values of so many tokens, of the type `cache`, from a .gguf's metadata; at least: 0 where it
    does not tell, and no more than the window of a model that has a window.
    """
    kind = metadata.get("general.architecture")

    def number(key: str) -> int:
        value = metadata.get(f"{kind}.{key}")
        return value if isinstance(value, int) else 0

    heads = number("attention.head_count")
    groups = number("attention.head_count_kv") or heads
    width = number("embedding_length") // heads if heads else 0
    keys, values = (number(f"attention.{name}_length") or width for name in ("key", "value"))
    window = number("attention.sliding_window")
    size = 2 * number("block_count") * min(tokens, window or tokens) * groups * (keys + values)
    return size if cache == "f16" else size * 17 // 32  # 32 values of a byte each share a scale of two


def _number(file: Path) -> int | None:
    text = "".join(_lines(file)).strip()
    return int(text) if text.isdigit() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system, or a group without this file
        return []
