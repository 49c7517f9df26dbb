"""Silero VAD's network: its shapes, its weights, its costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekit.errors import BadInput
from edgekit.models.common.silero.network import Silero, network
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of

MODEL = find("models", "silero-vad")


def stored() -> dict[str, np.ndarray]:
    """Random weights in the names and shapes of Silero's file."""
    random, made = np.random.default_rng(0), {"stft_conv.weight": (258, 1, 256), "final_conv.weight": (1, 128, 1)}
    for i, (outputs, inputs) in enumerate(((128, 129), (64, 128), (64, 64), (128, 64)), 1):
        made |= {f"conv{i}.weight": (outputs, inputs, 3), f"conv{i}.bias": (outputs,)}
    made |= {f"lstm_cell.weight_{kind}": (512, 128) for kind in ("ih", "hh")}
    made |= {f"lstm_cell.bias_{kind}": (512,) for kind in ("ih", "hh")} | {"final_conv.bias": (1,)}
    return {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in made.items()}


def test_a_cell_is_that_of_torch() -> None:
    tensors = stored()
    cell = torch.nn.LSTMCell(128, 128)
    names = {name: f"lstm_cell.{name}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    cell.load_state_dict({name: torch.from_numpy(tensors[place]) for name, place in names.items()})
    module, generator = network(tensors), torch.Generator().manual_seed(0)
    audio = torch.randn(1, 576, generator=generator)
    h, c = (torch.randn(1, 128, generator=generator) for _ in "hc")
    with torch.no_grad():
        probability, *after = module(audio, h, c)
        mirrored = torch.cat([audio, audio[:, -65:-1].flip(1)], 1)[:, None]
        real, imaginary = module.spectrum(mirrored).chunk(2, 1)
        x = torch.hypot(real, imaginary)
        for layer in module.convolutions:
            x = torch.relu(layer(x))
        wanted = cell(x[:, :, 0], (h, c))
    for mine, other in zip(after, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
    assert probability.shape == (1, 1) and 0 < float(probability) < 1


def test_frames_in_a_row_are_as_one_after_the_other() -> None:
    single, several = network(stored()), network(stored(), frames=16)
    audio = torch.randn(5, 576, generator=torch.Generator().manual_seed(1))
    states = torch.zeros(1, 128), torch.zeros(1, 128)
    with torch.no_grad():
        together, *after = several(audio, *states)
        for i in range(5):
            alone, *states = single(audio[i : i + 1], *states)
            torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)
    for mine, other in zip(after, states, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_other_weights_are_refused() -> None:
    tensors = stored()
    with pytest.raises(BadInput, match=r"lack 'conv3.bias'"):
        network({name: value for name, value in tensors.items() if name != "conv3.bias"})
    with pytest.raises(BadInput, match=r"'conv1.weight' are \[128, 130, 3\], not \[128, 129, 3\]"):
        network({**tensors, "conv1.weight": np.zeros((128, 130, 3), np.float32)})


def test_declared_costs_are_those_of_the_network() -> None:
    assert sum(p.numel() for p in Silero().parameters()) == MODEL.network.parameters
    assert MODEL.costs.work is not None
    (work,) = MODEL.costs.work(recipe_of("onnxruntime", "int8"))
    products = [p for p in Silero().parameters() if p.dim() > 1]
    assert work.weights == sum(p.numel() for p in products) and work.layers == len(products)
