"""Prompt look-up decoding: what follows now has often followed before (Saxena 2023, "Prompt lookup decoding").

Tokens after an earlier place with the same ending are proposed and computed in a single pass; those that the model
would have chosen, too, are kept. An answer that repeats its prompt, such as a corrected text, takes fewer passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from edgekit.runtimes.llama_cpp.caching.cache import Cache
from edgekit.runtimes.llama_cpp.context import Context

#: Most tokens that are proposed at a time, and the endings that are looked up, in tokens.
DRAFT = 8
_LONGEST, _SHORTEST = 4, 2


@dataclass
class Drafts:
    """Counts of an answer: passes over the model after the prompt's, tokens that were proposed, and that were kept."""

    passes: int = 0
    proposed: int = 0
    kept: int = 0


def possible(context: Context) -> bool:
    """Whether the model can forget the tokens that it would not have chosen: not with a state or a window."""
    model, api = context.model, context.api
    stateful = api.llama_model_is_recurrent(model.handle) or api.llama_model_is_hybrid(model.handle)
    return not stateful and int(api.llama_model_n_swa(model.handle)) == 0


def propose_tokens(tokens: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens that followed the last earlier place with the same ending, the longest ending first."""
    for length in range(_LONGEST, _SHORTEST - 1, -1):
        ending = list(tokens[-length:])
        for at in range(len(tokens) - length - 1, -1, -1):
            if list(tokens[at : at + length]) == ending:
                return list(tokens[at + length : at + length + max(0, most)])
    return []


def generate(
    cache: Cache, prompt: Sequence[int], most: int, ends: Collection[int], stop: Callable[[], bool], drafts: Drafts
) -> Iterator[int]:
    """The likeliest tokens after `prompt`, at most `most`, until a token of `ends`; `drafts` counts."""
    if not cache.read(prompt):
        return
    context, said = cache.context, list(prompt)
    ready = [int(context.logits(1)[0].argmax())]
    while ready:
        for token in ready:
            if token in ends:
                return
            said.append(token)
            yield token
            if len(said) - len(prompt) >= most or len(said) > context.settings.context or stop():
                return
        left = min(most - (len(said) - len(prompt)), context.settings.context - context.used) - 1
        ready = _verify_draft(cache, ready[-1], propose_tokens(said, min(DRAFT, left)), drafts)


def _verify_draft(cache: Cache, token: int, draft: list[int], drafts: Drafts) -> list[int]:
    """As much of `draft` as the model would choose after `token`, and its choice then; none where it was stopped."""
    before = cache.context.used + 1
    if not cache.step([token, *draft], outputs=1 + len(draft)):
        return []
    choices = [int(choice) for choice in cache.context.logits(1 + len(draft)).argmax(axis=1)]
    kept = next((i for i, choice in enumerate(choices[:-1]) if choice != draft[i]), len(draft))
    cache.keep(before + kept)
    drafts.passes += 1
    drafts.proposed += len(draft)
    drafts.kept += kept
    return choices[: kept + 1]
