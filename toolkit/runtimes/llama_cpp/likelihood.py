"""How likely a model holds it that a prompt goes on in certain ways."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from edgekit.common.lazy import np
from edgekit.errors import BadInput

if TYPE_CHECKING:
    from edgekit.runtimes.llama_cpp.context import Context, Loaded

#: Positions whose logits are fetched at once.
_ROWS = 32


def likelihoods(runner: Loaded, prompt: Sequence[int], endings: Sequence[Sequence[int]]) -> list[float]:
    """The log-likelihood of each ending after `prompt`, in nats, summed over its tokens. The prompt is read once.

    Raises:
        BadInput: an empty prompt or ending, or more tokens than the model was trained for.
    """
    if not prompt or not all(endings):
        raise BadInput("a likelihood needs tokens: the prompt or an ending is empty.")
    with closing(runner.context(len(prompt) + max(map(len, endings)), outputs=_ROWS)) as context:
        return [_likelihood(context, list(prompt), list(ending)) for ending in endings]


def _likelihood(context: Context, prompt: list[int], ending: list[int]) -> float:
    tokens, first, batch = [*prompt, *ending[:-1]], len(prompt) - 1, context.settings.batch
    for at in range(context.keep(first), first, batch):
        context.decode(tokens[at : min(at + batch, first)])
    total = 0.0
    for at in range(0, len(ending), _ROWS):
        wanted = ending[at : at + _ROWS]
        context.decode(tokens[first + at : first + at + len(wanted)], outputs=len(wanted))
        logits = context.logits(len(wanted)).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        total += float((logits[np.arange(len(wanted)), wanted] - np.log(np.exp(logits).sum(axis=1))).sum())
    return total
