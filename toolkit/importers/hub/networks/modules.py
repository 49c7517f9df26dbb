"""The modules of parts: each is a network of transformers behind plain arrays; and a part's, of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.core import Checkpoint
from edgekit.importers.hub.networks.filterbank import Filterbank
from edgekit.importers.hub.networks.loading import load_network
from edgekit.importers.hub.networks.masks import FORMS, choose_mask_form
from edgekit.importers.hub.plan import Plan
from edgekit.numerics.masking import MASKED


class Text(nn.Module):
    """Tokens to a vector, logits of labels, or logits of tokens.

    forward: input_ids, attention_mask (and token_type_ids) int64 [1, N] -> float32 [1, D], [1, labels] or
        [1, N, words].

    Attributes:
        form, window: of the mask, see `edgekit.importers.hub.networks.masks`.
    """

    def __init__(self, network: Any, task: str, pooling: str, unit: bool, own: str) -> None:
        super().__init__()
        self.network = network
        self._task, self._pooling, self._unit, self._own = task, pooling, unit, own
        self.form, self.window = "given", int(getattr(network.config, "sliding_window", None) or 0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        out = self.network(input_ids=input_ids, attention_mask=FORMS[self.form](attention_mask, self.window), **more)
        if self._task != "feature-extraction":
            logits: Tensor = out["logits"]
            return logits
        vector: Tensor = out[self._own] if self._own else _pool_tokens(out[0], attention_mask, self._pooling)
        return nn.functional.normalize(vector, dim=-1) if self._unit else vector


def _pool_tokens(hidden: Tensor, mask: Tensor, mode: str) -> Tensor:
    """Vectors of tokens [1, N, D] to one [1, D]."""
    if mode == "cls":
        return hidden[:, 0]
    weight = mask[:, :, None].to(hidden.dtype)
    if mode == "max":
        return (hidden * weight + (1.0 - weight) * MASKED).amax(dim=1)
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)


class Picture(nn.Module):
    """Pixels to logits or to a vector.

    forward: pixels uint8 [1, H, W, 3], RGB -> float32 [1, labels] or [1, D].

    Args:
        scale, offset: of each channel of the network's input. order: the channel of the picture that it comes from.
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self, network: nn.Module, task: str, own: str, scale: list[float], offset: list[float], order: list[int]
    ) -> None:
        super().__init__()
        self.network = network
        self._named, self._order = "logits" if task == "image-classification" else own, order
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).reshape(1, 3, 1, 1))
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float32).reshape(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        values = pixels.to(torch.float32).permute(0, 3, 1, 2)
        if self._order == [2, 1, 0]:
            values = values.flip(1)
        out = self.network(pixel_values=values * self.scale + self.offset)
        values = out[self._named] if self._named else out.get("pooler_output")
        if values is None:
            values = out[0][:, 0] if out[0].ndim == 3 else out[0].mean(dim=(2, 3))
        return torch.flatten(values, 1)


class Sound(nn.Module):
    """Samples or features to logits.

    forward: float32 [1, samples] or [1, frames, bands] -> float32 [1, labels] or [1, frames, letters].
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.network(input_values=values)["logits"]
        return logits


class Arrays(nn.Module):
    """Transformers' own inputs by name to its outputs by name."""

    def __init__(self, network: nn.Module, inputs: list[str], outputs: list[str]) -> None:
        super().__init__()
        self.network = network
        self._inputs, self._outputs = inputs, outputs

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        out = self.network(**dict(zip(self._inputs, values, strict=True)))
        return tuple(out[name] for name in self._outputs)


class Encoder(nn.Module):
    """The first half of a network from a sequence to a sequence."""

    def __init__(self, network: Any, inputs: list[str]) -> None:
        super().__init__()
        self.network = network.get_encoder()
        self._inputs = inputs

    def forward(self, *values: Tensor) -> Tensor:
        hidden: Tensor = self.network(**dict(zip(self._inputs, values, strict=True)))[0]
        return hidden


class Decoder(nn.Module):
    """The second half: tokens so far int64 [1, steps] and the encoder's output -> logits float32 [1, steps, words]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        logits: Tensor = self.network(encoder_outputs=(hidden,), decoder_input_ids=tokens, use_cache=False)["logits"]
        return logits


def _names(part: Any) -> list[str]:
    return [spec.name for spec in part.inputs]


#: Name -> (network, `PartPlan`) -> the module.
MODULES: Mapping[str, Callable[[Any, Any], nn.Module]] = {
    "text": lambda network, part: Text(network, **part.settings),
    "picture": lambda network, part: Picture(network, **part.settings),
    "sound": lambda network, part: Sound(network),
    "filterbank": lambda network, part: Filterbank(**part.settings),
    "arrays": lambda network, part: Arrays(network, _names(part), [spec.name for spec in part.outputs]),
    "encoder": lambda network, part: Encoder(network, _names(part)),
    "decoder": lambda network, part: Decoder(network),
}


def build(plan: Plan, part: str, checkpoint: Checkpoint) -> Any:
    """The module of a part of a plan (of the fixed parts: their modules are the same).

    Raises:
        BadInput: the weights are not those of the plan. MissingExtra.
    """
    chosen = next(entry for entry in plan.parts if entry.name == part)
    network: Any = None if chosen.module == "filterbank" else load_network(plan, checkpoint)
    module = MODULES[chosen.module](network, chosen)
    if not isinstance(module, Text):
        return module
    return choose_mask_form(module, network.get_input_embeddings().num_embeddings, plan.facts["tokenizer"]["most"])
