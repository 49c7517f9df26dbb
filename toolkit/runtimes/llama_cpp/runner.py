"""A .gguf that is loaded: logits, text to tokens and back, generation, speed, and what it takes of memory."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Feeds, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.llama.grammar import grammar_of
from edgekit.runtimes.llama_cpp import likelihood, lookup, perplexity
from edgekit.runtimes.llama_cpp import sampler as llama_sampler
from edgekit.runtimes.llama_cpp import speed as llama_speed
from edgekit.runtimes.llama_cpp.caching import stored
from edgekit.runtimes.llama_cpp.caching.cache import Cache
from edgekit.runtimes.llama_cpp.context import Context, Settings, check_length, open_shared_model

#: A context for generating grows in such steps, so that a chat does not make a new context each turn.
_STEP = 1024
#: Positions whose logits are fetched at once: the library keeps them beside the copy that the caller gets.
_SLICE = 64
_MEBI = 1 << 20
#: What llama.cpp calls the memory of weights that it laid out anew.
_ANEW = ("AMX", "CPU_REPACK")


class LlamaRunner(Runner):
    """See `edgekit.core.Runner`: ``tokens`` int32 [n] -> ``logits`` float32 [n, vocabulary], from an empty cache.

    Not to be used by two threads at once.

    Args:
        file: a .gguf; mapped, not read. threads: of this machine. flash_attention: "auto", "on" or "off".
        cache: type of keys and values where a call does not say, "f16" or "q8_0".

    Raises:
        BadInput: see `edgekit.runtimes.llama_cpp.context.Model`. MissingExtra: llama.cpp is not installed.
    """

    inputs = (TensorSpec("tokens", "int32", ("tokens",)),)
    outputs = (TensorSpec("logits", "float32", ("tokens", "vocabulary")),)

    def __init__(self, file: Path, threads: int, *, flash_attention: str = "auto", cache: str = "f16") -> None:
        self._model, self._threads, self._flash = open_shared_model(file), max(1, threads), flash_attention
        self._kind, self._cache, self.drafts, self.from_disk = cache, Cache(), lookup.Drafts(), 0
        self._api, self._vocabulary = self._model.api, self._model.vocabulary
        self.metadata: Facts = self._model.header.plain
        self.context_length, self.vocabulary = self._model.training_context, self._model.size
        tokens = range(self.vocabulary)
        self.end_tokens = frozenset(t for t in tokens if self._api.llama_vocab_is_eog(self._vocabulary, t))
        self.begin_token = int(self._api.llama_vocab_bos(self._vocabulary))
        self.begins = bool(self._api.llama_vocab_get_add_bos(self._vocabulary))

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        tokens = self._validate_tokens(np.asarray(feeds["tokens"]))
        logits = np.empty((len(tokens), self.vocabulary), np.float32)
        with contextlib.closing(self.context(len(tokens), outputs=_SLICE, batch=_SLICE)) as context:
            for start in range(0, len(tokens), _SLICE):
                piece = tokens[start : start + _SLICE]
                context.decode(piece, outputs=len(piece))
                logits[start : start + len(piece)] = context.logits(len(piece))
        return {"logits": logits}

    def context(
        self, tokens: int, *, outputs: int = 1, batch: int = 2048, ubatch: int = 512, cache: str | None = None
    ) -> Context:
        """A fresh context of this model; the caller closes it. Raises BadInput if it is longer than trained."""
        kind = cache or self._kind
        flash = self._flash if kind == "f16" else "on"
        return self._model.context(Settings(tokens, self._threads, batch, ubatch, outputs, flash, kind))

    # ------------------------------------------------------------------------------------------------------- text

    def tokenize(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        """Tokens of `text`.

        Args:
            special: read control tokens (``<|im_start|>``) in the text as such; leave it off for text from outside.
            bos: start with the begin token; None: as the model wants it.
        """
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        while True:
            tokens = (ctypes.c_int32 * room)()
            count = int(self._api.llama_tokenize(self._vocabulary, raw, len(raw), tokens, room, False, special))
            if count >= 0:
                break
            if room >= 8 * len(raw) + 8:  # a space may become three bytes; nothing becomes eight
                raise BadInput(f"the text of {len(raw)} bytes cannot be tokenized.")
            room = -count
        begin = self.begins if bos is None else bos
        return [self.begin_token, *tokens[:count]] if begin and self.begin_token >= 0 else list(tokens[:count])

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        """The bytes of `tokens`, joined: a character may be split between two of them. `special`: show control
        tokens.
        """
        return b"".join(self._piece(int(token), special) for token in tokens)

    def _piece(self, token: int, special: bool) -> bytes:
        if not 0 <= token < self.vocabulary:
            raise BadInput(f"there is no token {token}; the vocabulary has {self.vocabulary}.")
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = int(self._api.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, special))
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    # ------------------------------------------------------------------------------------------------- generation

    def generate(
        self,
        tokens: Sequence[int],
        *,
        most: int,
        context: int | None = None,
        schema: Facts | None = None,
        cache: str | None = None,
        look_up: bool = False,
        beginning: Sequence[int] = (),
        cancel: Callable[[], bool] | None = None,
        **sampling: Any,
    ) -> Iterator[int]:
        """Continue `tokens`, one token at a time; what the last call left in the cache is reused where it is the same.

        Ends before an end token, after `most` tokens, when the context is full, or when `cancel` returns True (which is
        asked between tokens, and inside of a long prompt).

        Args:
            context: tokens to have room for; None: what the call needs.
            schema: a JSON schema that the text keeps to (`edgekit.llama.grammar`).
            cache: type of keys and values, "f16" or "q8_0"; None: the runner's.
            look_up: propose tokens that followed before (`edgekit.runtimes.llama_cpp.lookup`), where tokens are the
                likeliest and any text goes; `drafts` then counts.
            beginning: the first tokens of `tokens`, such as a system prompt's, that are kept on disk for the next
                process (`edgekit.runtimes.llama_cpp.caching.stored`); `from_disk` then counts those that came from
                there.
            sampling: see `edgekit.runtimes.llama_cpp.sampler.Sampling`.

        Raises:
            BadInput: an empty prompt, a prompt that does not fit, a context longer than the model was trained for, or a
                schema that no grammar holds.
        """
        prompt = [int(token) for token in self._validate_tokens(tokens)]
        room = self._room(len(prompt), most, context)
        chosen = llama_sampler.Sampling(**sampling)
        grammar = None if schema is None else grammar_of(schema)
        alone = look_up and chosen.temperature == 0 and grammar is None
        self._cache.reserve(self.context, room, cache or self._kind, lookup.DRAFT + 1 if alone else 1)
        first = [int(token) for token in self._validate_tokens(beginning)] if len(beginning) else []
        self.from_disk = stored.begin(self._model, self._cache, first) if first else 0
        if alone and lookup.possible(self._cache.context):
            return self._look_up(prompt, most, cancel)
        return self._generate(prompt, most, chosen, grammar, cancel)

    def _look_up(self, prompt: list[int], most: int, cancel: Callable[[], bool] | None) -> Iterator[int]:
        self.drafts = lookup.Drafts()
        with llama_sampler.abortable(self._cache.context, cancel):
            stop = cancel or (lambda: False)
            yield from lookup.generate(self._cache, prompt, most, self.end_tokens, stop, self.drafts)

    def _generate(
        self,
        prompt: list[int],
        most: int,
        sampling: llama_sampler.Sampling,
        grammar: str | None,
        cancel: Callable[[], bool] | None,
    ) -> Iterator[int]:
        with contextlib.ExitStack() as stack:
            sampler = stack.enter_context(llama_sampler.Sampler(self._api, sampling, self._vocabulary, grammar))
            context = self._cache.context
            stack.enter_context(llama_sampler.abortable(context, cancel))
            if not self._cache.read(prompt):
                return
            for i in range(most):
                token = sampler.choose(context)
                if token in self.end_tokens:
                    return
                yield token
                last = i == most - 1 or context.used >= context.settings.context
                if last or (cancel is not None and cancel()) or not self._cache.step([token]):
                    return

    def _room(self, prompt: int, most: int, context: int | None) -> int:
        """The context that a call needs, checked."""
        if context is None:
            wanted = -(-(prompt + most) // _STEP) * _STEP
            context = min(wanted, self.context_length or wanted)
        check_length(context, self.context_length)
        if prompt >= context:
            raise BadInput(
                f"the prompt has {prompt} tokens, and the context {context}: there is no room for an answer.",
                hint="Shorten the prompt, or ask for a longer context.",
            )
        return context

    def forget(self) -> None:
        """Forget what is in the cache; the room for it stays."""
        self._cache.forget()

    def clear(self) -> None:
        """Forget the cache, and give its memory back."""
        self._cache.clear()

    # ------------------------------------------------------------------------------------------------ measurement

    likelihoods = likelihood.likelihoods
    score = perplexity.score

    def speed(self, prompt: int = 0, generate: int = 0, depth: int = 0) -> float:
        """Tokens per second, one value by llama-bench's method (see `edgekit.runtimes.llama_cpp.speed`)."""
        self.clear()
        return llama_speed.speed(self, prompt, generate, depth)

    def memory_breakdown(self, context: int = 4096, batch: int = 2048, ubatch: int = 512) -> dict[str, int]:
        """Bytes as the library reports them: ``weights`` as the file has them, ``anew`` (the copies that it lays out as
        this processor likes them: with AMX of nearly all), ``kv``, ``compute``, ``output``.
        """
        context = min(context, self.context_length or context)
        with contextlib.closing(self.context(context, batch=batch, ubatch=ubatch)) as made:
            lines = [*self._model.loaded, *made.created]
        sizes = {"weights": 0, "anew": 0, "kv": 0, "compute": 0, "output": 0}
        names = {"model": "weights", "KV": "kv", "RS": "kv", "compute": "compute", "output": "output"}
        for line in lines:
            match = re.search(r"(\w+) +(model|KV|RS|compute|output) buffer size = +([\d.]+) MiB", line)
            if match:
                name = "anew" if match[1] in _ANEW and match[2] == "model" else names[match[2]]
                sizes[name] += round(float(match[3]) * _MEBI)
        return sizes

    def _validate_tokens(self, tokens: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int32]:
        array = np.asarray(tokens)
        if array.ndim != 1 or not array.size:
            raise BadInput(f"a prompt is a row of tokens; this has the shape {list(array.shape)}.")
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= self.vocabulary:
            raise BadInput(f"tokens are whole numbers below {self.vocabulary}.")
        return array.astype(np.int32)
