"""Where onnxruntime's sessions have their tensors: one arena of the process, which all of them share."""

from __future__ import annotations

import functools
from typing import Any

#: Bytes that the arena begins with; pages count from their first use. What begins smaller grows by doubling, and a
#: large tensor then finds no room in what there is.
_BEGIN = 64 << 20
#: A free block that is larger than a tensor by more bytes than this is divided.
_REST = 64 << 10


def use_arena(runtime: Any, options: Any) -> None:
    """Let a session have its tensors in the process's arena, and its weights outside of it, where nothing rounds up.

    The C library instead of the arena gives large blocks back to the system and gets them again, page by page: that
    takes a tenth of the time of Piper and PP-OCR, and leaves gaps (20 to 50 MB beside a Whisper).

    Args:
        runtime: the module onnxruntime. options: its SessionOptions.
    """
    _register(runtime)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")


@functools.cache
def _register(runtime: Any) -> None:
    kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    sizes = {
        "max_mem": 0,  # no limit
        "arena_extend_strategy": 0,  # by doubling
        "initial_chunk_size_bytes": _BEGIN,
        "max_dead_bytes_per_chunk": _REST,
        "initial_growth_chunk_size_bytes": -1,  # the default
    }
    where = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
    runtime.create_and_register_allocator(where, runtime.OrtArenaCfg(sizes))
