"""What onnxruntime's sessions of a process share: the memory of their tensors, and the threads of their operators.

A bundle's parts are sessions that work one after another. Threads of its own would spin behind a session's run, and
take processors from the next part: on two processors Whisper takes 1.5 times as long, Piper twice.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

#: Bytes that the arena begins with; pages count from their first use. What begins smaller grows by doubling, and a
#: large tensor then finds no room in what there is.
_BEGIN = 64 << 20
#: A free block that is larger than a tensor by more bytes than this is divided.
_REST = 64 << 10

_pool: int | None = None  # threads of the process's pool; None before the first session, 0 if it is not ours
_lock = threading.Lock()


def use_threads(runtime: Any, options: Any, threads: int) -> None:
    """Let a session work with `threads` threads: those of the process's pool, if it has as many.

    The first session with more than one makes the pool. What has another number gets threads of its own, which do not
    spin behind a run.

    Args:
        runtime: the module onnxruntime. options: its SessionOptions.
    """
    if threads > 1 and _pool_of(runtime, threads) == threads:
        options.use_per_session_threads = False
        return
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")


def use_arena(runtime: Any, options: Any) -> None:
    """Let a session have its tensors in the process's arena, and its weights outside of it, where nothing rounds up.

    The C library instead of the arena gives large blocks back to the system and gets them again, page by page: that
    takes a tenth of the time of Piper and PP-OCR, and leaves gaps (20 to 50 MB beside a Whisper).
    """
    _register(runtime)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")


def _pool_of(runtime: Any, threads: int) -> int:
    global _pool
    with _lock:
        if _pool is None:
            try:
                runtime.set_global_thread_pool_sizes(threads, 1)
                _pool = threads
            except runtime.capi.onnxruntime_pybind11_state.Fail:
                _pool = 0  # the program that we are part of has made one, of which the size is not known
        return _pool


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
