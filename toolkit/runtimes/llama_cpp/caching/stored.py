"""A fixed beginning of prompts, such as a system prompt, kept on disk as the keys and values that it became.

The first prompt that begins so computes them; later ones, in other processes too, read them. The state is llama.cpp's
own (``llama_state_seq_get_data``), behind a digest: a file that was cut or changed is computed anew.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import write_whole
from edgekit.llama import library
from edgekit.runtimes.llama_cpp.caching.cache import Cache
from edgekit.runtimes.llama_cpp.context import Model

#: Files that are kept; the one that was used longest ago goes first.
MOST = 32
_DIGEST = 32


def begin(model: Model, cache: Cache, tokens: Sequence[int]) -> int:
    """Have `cache`, whose context is reserved, hold `tokens` or more that begin with them.

    Returns:
        how many tokens came from disk; 0 where they were there already, or were computed and written.
    """
    if cache.begins_with(tokens):
        return 0
    place = _place(model, cache, tokens)
    if (state := _read(place)) is not None and cache.restore(state, tokens):
        place.touch()
        return len(tokens)
    cache.forget()
    if cache.read(tokens):
        state = cache.state()
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, hashlib.sha256(state).digest() + state)
        _trim(place.parent)
    return 0


def _place(model: Model, cache: Cache, tokens: Sequence[int]) -> Path:
    """The file of this beginning: its name depends on all that decides the state."""
    facts, row = model.file.stat(), (ctypes.c_int32 * len(tokens))(*tokens)
    file = (str(model.file.resolve()), facts.st_mtime_ns, facts.st_size)
    known = repr((file, library.stamp(), cache.context.settings.cache)).encode()
    return library.prompts() / f"{hashlib.sha256(known + bytes(row)).hexdigest()[:32]}.state"


def _read(place: Path) -> bytes | None:
    try:
        content = place.read_bytes()
    except FileNotFoundError:
        return None
    state = content[_DIGEST:]
    return state if hashlib.sha256(state).digest() == content[:_DIGEST] else None


def _trim(folder: Path) -> None:
    by_use = sorted(folder.glob("*.state"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in by_use[MOST:]:
        path.unlink(missing_ok=True)
