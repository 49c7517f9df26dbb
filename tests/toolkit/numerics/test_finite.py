"""Weights that are not numbers."""

from __future__ import annotations

import pytest
import torch

from edgekit.numerics.finite import not_numbers


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1e30, ""),
        (float("nan"), "the weight 'weight' holds 6 values that are no numbers (NaN or infinite)"),
        (float("inf"), "the weight 'weight' holds 6 values that are no numbers (NaN or infinite)"),
    ],
)
def test_parameters(value: float, said: str) -> None:
    module = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(module.weight, value)
    assert not_numbers(module) == said


def test_a_mask_may_hold_infinities_and_no_nan() -> None:
    module = torch.nn.Identity()
    module.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    module.register_buffer("places", torch.arange(3))
    assert not not_numbers(module)
    module.register_buffer("other", torch.tensor([0.0, float("nan")]))
    assert not_numbers(module).startswith("the weight 'other' holds a value that is no number")
