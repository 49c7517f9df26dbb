"""Tokens per second by llama-bench's method, so that the two can be compared.

The context is as long as the test; batch 2048, ubatch 512; tokens are random, as their values do not matter; one
warm-up when the context is made, of the whole prompt, or of one generated token; the cache is cleared before each
value, but for the tokens that a test starts after, which are read once; generation waits for every token. Source:
tools/llama-bench in llama.cpp.
"""

from __future__ import annotations

import random
import time
import weakref

from edgekit.errors import BadInput
from edgekit.runtimes.llama_cpp.context import Context, Loaded

#: The context of a runner's last test, warmed up, with what it was made for.
_WARM: weakref.WeakKeyDictionary[Loaded, tuple[tuple[int, int, int], Context]] = weakref.WeakKeyDictionary()


def speed(runner: Loaded, prompt: int, generate: int, depth: int) -> float:
    """One timed value in tokens/s, of a prompt of `prompt` tokens or of `generate` tokens, each by itself.

    Args:
        depth: tokens that are in the cache already, untimed (llama-bench's ``-d``).

    Raises:
        BadInput: both or none of `prompt` and `generate`, or more than the model was trained for.
    """
    if (prompt > 0) == (generate > 0) or min(prompt, generate, depth) < 0:
        raise BadInput(f"speed is that of a prompt or of generation: prompt {prompt}, generate {generate}.")
    context = _context(runner, (prompt, generate, depth))
    if not depth or context.keep(depth) < depth:  # the first value of this test, or what cannot forget a part
        context.clear()
    if context.used < depth:
        _prompt(runner, context, depth)
    begin = time.perf_counter()
    if prompt:
        _prompt(runner, context, prompt)
    else:
        _generate(runner, context, generate)
    return (prompt or generate) / (time.perf_counter() - begin)


def _context(runner: Loaded, test: tuple[int, int, int]) -> Context:
    held = _WARM.get(runner)
    if held is not None and held[0] == test:
        return held[1]
    if held is not None:
        held[1].close()
    context = runner.context(sum(test))
    prompt, generate, _ = test
    if prompt:
        _prompt(runner, context, prompt)
    if generate:
        _generate(runner, context, 1)
    context.clear()
    _WARM[runner] = (test, context)
    return context


def forget(runner: Loaded) -> None:
    """Give the memory of the runner's last test back."""
    held = _WARM.pop(runner, None)
    if held is not None:
        held[1].close()


def _first(runner: Loaded) -> int:
    return runner.begin_token if runner.begins else random.randrange(runner.vocabulary)


def _prompt(runner: Loaded, context: Context, count: int) -> None:
    tokens = [_first(runner), *(random.randrange(runner.vocabulary) for _ in range(count - 1))]
    for start in range(0, count, context.settings.batch):
        context.decode(tokens[start : start + context.settings.batch], outputs=1)
    context.synchronize()


def _generate(runner: Loaded, context: Context, count: int) -> None:
    token = _first(runner)
    for _ in range(count):
        context.decode([token], outputs=1)
        context.synchronize()
        token = random.randrange(runner.vocabulary)
