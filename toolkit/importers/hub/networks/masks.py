"""Masks of attention in a form that every format can hold.

Transformers adds the least float32 to masked scores, which is infinite in half precision and leaves no int8 for the
rest. A number whose exponential is 0 in every precision does as well. Which form a network takes is tried: a form is
taken only if the outputs stay the same, on a text as long as it may be, with padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from edgekit.importers.hub.networks.loading import quiet
from edgekit.numerics.masking import MASKED

#: Largest difference that counts as the same, relative to the largest output.
_SAME = 1e-4


def _everywhere(mask: Tensor) -> Tensor:
    """Each token looks at all that are not padding: [1, N] -> [1, 1, 1, N]."""
    return ((1.0 - mask.to(torch.float32)) * MASKED)[:, None, None, :]


def _backwards(mask: Tensor) -> Tensor:
    """Each token looks at itself and those before it: [1, N] -> [1, 1, N, N]."""
    places = torch.arange(mask.shape[1], device=mask.device)
    later = (places[None, :] > places[:, None]).to(torch.float32) * MASKED
    return torch.minimum(_everywhere(mask), later[None, None])


def _sliding_window_masks(mask: Tensor, window: int) -> dict[str, Tensor]:
    """Some layers look everywhere, others at `window` tokens to either side."""
    places = torch.arange(mask.shape[1], device=mask.device)
    far = ((places[None, :] - places[:, None]).abs() > window).to(torch.float32) * MASKED
    return {"full_attention": _everywhere(mask), "sliding_attention": torch.minimum(_everywhere(mask), far[None, None])}


#: Name -> (mask, tokens that a window has to either side) -> the mask that is handed to the network; "given" is
#: transformers' own way.
FORMS: Mapping[str, Callable[[Tensor, int], Any]] = {
    "everywhere": lambda mask, window: _everywhere(mask),
    "backwards": lambda mask, window: _backwards(mask),
    "windowed": _sliding_window_masks,
    "given": lambda mask, window: mask,
}


def choose_mask_form(module: Any, words: int, tokens: int) -> Any:
    """`module`, a `Text`, with the first form whose outputs are those of "given".

    Args:
        words: of the vocabulary. tokens: the longest text, of which a quarter is padding.
    """
    generator = torch.Generator().manual_seed(19)
    ids = torch.randint(min(5, words - 1), words, (1, tokens), generator=generator)
    mask = torch.ones_like(ids)
    real = max(1, tokens - tokens // 4)
    mask[:, real:] = 0
    with quiet(), torch.inference_mode():
        wanted = _strip_padding(module(ids, mask), real)
        for form in FORMS:
            module.form = form
            try:
                made = _strip_padding(module(ids, mask), real)
            except Exception:  # a network that takes no mask of this shape
                continue
            if made.shape == wanted.shape and (made - wanted).abs().max() <= _SAME * wanted.abs().max():
                break
    return module


def _strip_padding(output: Tensor, real: int) -> Tensor:
    """What is no padding's: of an output for each token the first `real`."""
    return output[:, :real] if output.ndim == 3 else output
