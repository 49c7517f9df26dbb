"""Choosing the next token with llama.cpp's samplers, and stopping it in the middle of a prompt."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from edgekit.errors import BadInput
from edgekit.exporters.gguf.context import Context


@contextlib.contextmanager
def chain(api: Any, temperature: float, top_k: int, top_p: float, min_p: float, seed: int) -> Iterator[Any]:
    """A chain of samplers: greedy at temperature 0, else top-k, top-p, min-p, temperature, chance.

    Raises:
        BadInput: a value that is not possible.
    """
    if not 0 <= temperature < 100 or not 0 < top_p <= 1 or not 0 <= min_p <= 1 or top_k < 0 or not 0 <= seed < 2**32:
        raise BadInput(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}, min_p {min_p}, seed {seed} are not possible.",
            hint="temperature from 0 on, top_k from 0 on (0: all), top_p above 0 to 1, min_p 0 to 1.",
        )
    sampler = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    try:
        if temperature == 0:
            links = [api.llama_sampler_init_greedy()]
        else:
            links = [
                api.llama_sampler_init_top_k(top_k),
                api.llama_sampler_init_top_p(top_p, 1),
                api.llama_sampler_init_min_p(min_p, 1),
                api.llama_sampler_init_temp(temperature),
                api.llama_sampler_init_dist(seed),
            ]
        for link in links:
            api.llama_sampler_chain_add(sampler, link)  # which then owns it
        yield sampler
    finally:
        api.llama_sampler_free(sampler)


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
