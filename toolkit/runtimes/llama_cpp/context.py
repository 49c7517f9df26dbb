"""llama.cpp's objects with owners: a model, a context, a batch. Errors carry the library's message.

A context belongs to a single thread at a time, as llama.cpp's own do.
"""

from __future__ import annotations

import contextlib
import ctypes
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput, DeviceFailed, EdgekitError
from edgekit.formats import gguf
from edgekit.llama import library
from edgekit.runtimes.llama_cpp import room

#: Called with a pointer to a ggml tensor and whether only to ask; see llama.h, ``cb_eval``.
Watcher = Callable[[int, bool], bool]

#: Type of keys and values -> its number in ggml.
CACHES = {"f16": 1, "q8_0": 8}
_FLASH = {"auto": -1, "off": 0, "on": 1}


@dataclass(frozen=True)
class Settings:
    """How a context computes.

    Attributes:
        context: tokens that fit; llama.cpp rounds up to 256. batch, ubatch: tokens per call, and per pass of it.
        outputs: most positions of one call whose logits are wanted. threads: of this machine.
        flash_attention: "auto", "on" or "off". cache: type of keys and values, "f16", or "q8_0" in about half of the
            memory, which needs flash attention.
    """

    context: int
    threads: int
    batch: int = 2048
    ubatch: int = 512
    outputs: int = 1
    flash_attention: str = "auto"
    cache: str = "f16"


class Model:
    """Weights, mapped. `closed` by the garbage collector, after every context of it.

    Args:
        file: a .gguf, of which nothing is believed (`edgekit.formats.gguf.read`).

    Raises:
        BadInput: damaged, of an unknown architecture, without a tokenizer, or refused otherwise; with the reason.
        OverBudget: more than the memory that is free. MissingExtra: llama.cpp is not installed.
    """

    def __init__(self, file: Path) -> None:
        self.file, self.header, self.name = file, gguf.read(file), file.name
        self.api = library.bindings()
        room.check(self.name, "the weights", sum(tensor.size for tensor in self.header.tensors))
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = 0
        with telling(f"llama.cpp cannot load {file.name}", BadInput, "Fetch or convert it again.") as lines:
            self.handle = self.api.llama_model_load_from_file(str(file).encode(), params)
            if not self.handle:
                raise _Failed
        self.loaded = tuple(lines())
        weakref.finalize(self, self.api.llama_model_free, self.handle)
        self.vocabulary = self.api.llama_model_get_vocab(self.handle)
        self.size = int(self.api.llama_vocab_n_tokens(self.vocabulary))
        if self.size < 1 or self.api.llama_vocab_type(self.vocabulary) == 0:
            raise BadInput(f"{file.name} holds no tokenizer.", hint="Convert it again, with its tokenizer beside it.")

    def context(self, settings: Settings, watch: Watcher | None = None) -> Context:
        return Context(self, settings, watch)

    @property
    def training_context(self) -> int:
        """The context length that the model was trained for, in tokens."""
        return int(self.api.llama_model_n_ctx_train(self.handle))


#: Models that are in use, by what their file is. One that is mapped twice counts twice against the RAM budget.
_OPEN: weakref.WeakValueDictionary[tuple[str, int, int], Model] = weakref.WeakValueDictionary()


def open_shared_model(file: Path) -> Model:
    """The model in `file`, shared with whoever has it open. Raises as `Model` does."""
    facts = file.stat()
    key = (str(file.resolve()), facts.st_mtime_ns, facts.st_size)
    model = _OPEN.get(key)
    if model is None:
        model = _OPEN[key] = Model(file)
    return model


class Context:
    """A model with a key-value cache. Positions continue where the last `decode` ended, until `clear`.

    Raises:
        BadInput: more context than the model was trained for. OverBudget: more than the memory that is free.
        DeviceFailed: llama.cpp could not make it.
    """

    def __init__(self, model: Model, settings: Settings, watch: Watcher | None) -> None:
        check_length(settings.context, model.training_context)
        what, need = (
            f"keys and values of {settings.context} tokens",
            room.cache_size(model.header.plain, settings.context, settings.cache),
        )
        room.check(model.name, what, need, "Ask for a shorter context, such as -o context=1024, or free memory.")
        self.model, self.api, self.settings = model, model.api, settings
        params = self.api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = settings.context, settings.batch, settings.ubatch
        params.n_outputs_max = max(1, settings.outputs)
        params.n_threads = params.n_threads_batch = settings.threads
        params.flash_attn_type = _FLASH[settings.flash_attention]
        params.swa_full = False
        params.type_k = params.type_v = CACHES[settings.cache]
        if watch is not None:
            self._watch = type(params.cb_eval)(lambda tensor, ask, _: watch(tensor, ask))
            params.cb_eval = self._watch
        what = f"llama.cpp cannot make a context of {settings.context} tokens"
        with telling(what, DeviceFailed, "Ask for a shorter context, or free memory.") as lines:
            self.handle = self.api.llama_init_from_model(model.handle, params)
            if not self.handle:
                raise _Failed
        self.created = tuple(lines())
        self._free = weakref.finalize(self, self.api.llama_free, self.handle)
        self._batch = self.api.llama_batch_init(settings.batch, 0, 1)
        self._free_batch = weakref.finalize(self, self.api.llama_batch_free, self._batch)
        self.memory = self.api.llama_get_memory(self.handle)
        self.used = 0

    def close(self) -> None:
        """Give the memory back now."""
        self._free()
        self._free_batch()

    def clear(self, *, data: bool = False) -> None:
        """Forget every position. `data`: overwrite the cache with zeros too."""
        self.api.llama_memory_clear(self.memory, data)
        self.used = 0

    def keep(self, count: int) -> int:
        """Forget all but the first `count` positions; returns how many are kept: 0 where the model cannot forget
        a part.
        """
        if count < self.used:
            if not self.api.llama_memory_seq_rm(self.memory, 0, count, -1) or self._outran(count):
                self.clear()
            self.used = min(self.used, count)
        return self.used

    def _outran(self, count: int) -> bool:
        """Whether a window of attention has moved on: position `count` would look back at what is overwritten."""
        window = int(self.api.llama_model_n_swa(self.model.handle))
        return 0 < window < self.used and self.api.llama_memory_seq_pos_min(self.memory, 0) > max(0, count - window)

    def decode(self, tokens: Sequence[int] | NDArray[np.int32], outputs: int = 0) -> bool:
        """Compute the next positions, at most one batch. `outputs`: of so many of the last, logits are kept.

        Returns:
            False if the abort callback stopped it; the cache is then cleared.

        Raises:
            BadInput: the context is full. DeviceFailed: the library failed.
        """
        count, batch = len(tokens), self._batch
        if self.used + count > self.settings.context:
            raise BadInput(f"{self.used + count} tokens do not fit the context of {self.settings.context}.")
        for i in range(count):
            batch.token[i], batch.pos[i] = int(tokens[i]), self.used + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = i >= count - outputs
        batch.n_tokens = count
        library.forget()
        result = self.api.llama_decode(self.handle, batch)
        if result == 2:
            self.clear()
            return False
        if result != 0:
            raise DeviceFailed(f"llama.cpp could not compute {count} tokens (status {result}): {_last()}")
        self.used += count
        return True

    def logits(self, count: int) -> NDArray[np.float32]:
        """A view of the last decode's logits, float32 [count, vocabulary]. Gone with the next decode."""
        pointer = self.api.llama_get_logits(self.handle)
        if not pointer:
            raise DeviceFailed(f"llama.cpp has no logits: {_last()}")
        address = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(address, (count, self.model.size))

    def state(self) -> bytes:
        """Keys and values of all positions, in llama.cpp's own form."""
        size = int(self.api.llama_state_seq_get_size(self.handle, 0))
        buffer = (ctypes.c_uint8 * size)()
        written = int(self.api.llama_state_seq_get_data(self.handle, buffer, size, 0))
        return bytes(buffer)[:written]

    def restore(self, state: bytes, count: int) -> bool:
        """Hold the `count` positions of a `state`, and nothing else; False, and empty, if llama.cpp refuses it."""
        self.clear()
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        done = bool(self.api.llama_state_seq_set_data(self.handle, buffer, len(state), 0))
        done = done and int(self.api.llama_memory_seq_pos_max(self.memory, 0)) == count - 1
        if not done:
            self.clear()
        self.used = count if done else 0
        return done

    def synchronize(self) -> None:
        self.api.llama_synchronize(self.handle)


class Loaded(Protocol):
    """A loaded language model, which makes contexts (see `edgekit.runtimes.llama_cpp.runner`): what is measured."""

    vocabulary: int
    begin_token: int
    begins: bool

    def tokenize(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]: ...
    def context(self, tokens: int, *, outputs: int = 1, batch: int = 2048, ubatch: int = 512) -> Context: ...


class _Failed(Exception):
    """Raised inside of `telling` for a call that returned a failure."""


@contextlib.contextmanager
def telling(what: str, kind: type[EdgekitError], hint: str = "") -> Iterator[Callable[[], list[str]]]:
    """Map a failed call inside the block to an error with the library's own last words. Yields what it logs so far."""
    library.forget()
    try:
        yield library.log_lines
    except _Failed as exc:
        raise kind(f"{what}: {_last()}", hint=hint) from exc


def call_failure() -> Exception:
    """What to raise inside of `telling`."""
    return _Failed()


def _last() -> str:
    """The log's first line that tells a reason: later ones only say that all of it failed."""
    lines = [line.strip() for line in library.log_lines() if line.strip()]
    reasons = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
    return (reasons or lines[-1:] or ["it gave no reason"])[0][:300]


def check_length(context: int, trained: int) -> None:
    """Raise BadInput for a context that is empty or longer than `training_context`, if that is known (not 0)."""
    if context < 1:
        raise BadInput(f"a context of {context} tokens is none.")
    if trained and context > trained:
        raise BadInput(
            f"a context of {context} tokens is more than the {trained} that the model was trained for.",
            hint="Ask for a shorter context.",
        )
