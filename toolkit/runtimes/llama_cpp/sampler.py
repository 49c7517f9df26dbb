"""Choosing the next token with llama.cpp's samplers, and stopping it in the middle of a prompt."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.errors import BadInput
from edgekit.llama.grammar import ROOT
from edgekit.runtimes.llama_cpp.context import Context


class Sampler:
    """Chooses the next token: the likeliest at temperature 0, else by top-k, top-p, min-p, temperature and chance.

    With a grammar, the choice without it is tried first, and the whole vocabulary is compared with the grammar only
    where that choice breaks it: for a few tokens of an answer instead of all.

    Args:
        api: llama.cpp's bindings. grammar: in llama.cpp's form; None: any text. vocabulary: the model's.

    Raises:
        BadInput: a value that is not possible, or a grammar that the library cannot read.
    """

    def __init__(self, api: Any, sampling: Sampling, vocabulary: Any = None, grammar: str | None = None) -> None:
        self._api, self._grammar, self._strict = api, None, None
        links = sampling.links(api)
        if grammar is not None:
            self._grammar = api.llama_sampler_init_grammar(vocabulary, grammar.encode(), ROOT.encode())
            if not self._grammar:
                raise BadInput("llama.cpp cannot read the grammar of this schema.", hint="Make the schema simpler.")
            self._strict = _chain(api, [self._grammar, *sampling.links(api)])
        self._free = _chain(api, links)

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *_: object) -> None:
        for chain in (self._free, self._strict):
            if chain is not None:
                self._api.llama_sampler_free(chain)

    def choose(self, context: Context) -> int:
        """The next token after what `context` holds; the grammar then goes on from there."""
        token = int(self._api.llama_sampler_sample(self._free, context.handle, -1))
        if self._strict is None:
            return token
        if self._is_grammatical(token):
            self._api.llama_sampler_accept(self._strict, token)
            return token
        return int(self._api.llama_sampler_sample(self._strict, context.handle, -1))  # which accepts it, too

    def _is_grammatical(self, token: int) -> bool:
        one = self._api.llama_token_data(id=token, logit=1.0, p=0.0)
        single = self._api.llama_token_data_array(data=ctypes.pointer(one), size=1, selected=-1, sorted=False)
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(single))
        return bool(one.logit > 0)


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: `temperature` (0: the likeliest), `top_k` (0: all), `top_p`, `min_p`, `seed`.

    Raises:
        BadInput: a value that is not possible.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        possible = 0 <= self.temperature < 100 and 0 < self.top_p <= 1 and 0 <= self.min_p <= 1
        if not possible or self.top_k < 0 or not 0 <= self.seed < 2**32:
            raise BadInput(
                f"temperature {self.temperature}, top_k {self.top_k}, top_p {self.top_p}, min_p {self.min_p}, "
                f"seed {self.seed} are not possible.",
                hint="temperature from 0 on, top_k from 0 on (0: all), top_p above 0 to 1, min_p 0 to 1.",
            )

    def links(self, api: Any) -> list[Any]:
        """New samplers of the library, in the order in which it chains them."""
        if self.temperature == 0:
            return [api.llama_sampler_init_greedy()]
        return [
            api.llama_sampler_init_top_k(self.top_k),
            api.llama_sampler_init_top_p(self.top_p, 1),
            api.llama_sampler_init_min_p(self.min_p, 1),
            api.llama_sampler_init_temp(self.temperature),
            api.llama_sampler_init_dist(self.seed),
        ]


def _chain(api: Any, links: list[Any]) -> Any:
    """A chain of samplers, which owns them."""
    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    for link in links:
        api.llama_sampler_chain_add(chain, link)
    return chain


@contextlib.contextmanager
def abortable(context: Context, cancel: Callable[[], bool] | None) -> Iterator[None]:
    """Ask `cancel` between the operations of every decode inside of the block; True stops it."""
    if cancel is None:
        yield
        return
    api = context.api
    callback = api.ggml_abort_callback(lambda _: cancel())
    api.llama_set_abort_callback(context.handle, callback, None)
    try:
        yield
    finally:
        api.llama_set_abort_callback(context.handle, api.ggml_abort_callback(0), None)
