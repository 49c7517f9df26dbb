"""A program that draws random numbers is refused when it is read; one in evaluation mode is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import Unsupported
from edgekit.formats import pt2
from edgekit.formats.pt2 import drawing, operators


class Called(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Dropping(nn.Module):
    """Every layer that drops something while training."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.alpha, self.leaky = nn.Dropout(0.5), nn.AlphaDropout(0.5), nn.RReLU()
        self.gru = nn.GRU(4, 4, 2, dropout=0.3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.gru(self.leaky(self.alpha(self.drop(x))))[0]
        return nn.functional.scaled_dot_product_attention(y, y, y, dropout_p=0.4 if self.training else 0.0)


def read(module: nn.Module, folder: Path) -> pt2.Program:
    torch.export.save(torch.export.export(module, (torch.ones(1, 3, 4),)), folder / "net.pt2")
    return pt2.read(folder / "net.pt2")


def part_drawn(x: Tensor) -> Tensor:
    y = torch.zeros(2, 4)
    y[0].add_(torch.rand(4))
    return x.sum() + y


def branching(x: Tensor) -> Tensor:
    drawn: Tensor = torch.cond(x.sum() > 0, lambda x: x + torch.randn_like(x), lambda x: x * 2, (x,))
    return drawn


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: x + torch.randn_like(x), "randn_like"),
        (lambda x: x + torch.zeros(4).normal_(), "normal_"),
        (lambda x: x[:, torch.randperm(3)], "randperm"),
        (part_drawn, "rand"),
        (branching, "randn_like"),
    ],
)
def test_what_draws_is_refused_by_its_operator(
    function: Callable[[Tensor], Tensor], named: str, tmp_path: Path
) -> None:
    with pytest.raises(Unsupported, match=rf"draws random numbers \({named}\)") as refused:
        read(Called(function).eval(), tmp_path)
    assert "input of the network" in refused.value.hint


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # torch, of the weights of a GRU
def test_layers_that_drop_while_training_are_told_by_their_mode(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as refused:
        read(Dropping().train(), tmp_path)
    assert "(alpha_dropout, dropout, gru, rrelu, scaled_dot_product_attention)" in refused.value.message
    assert "module.eval()" in refused.value.hint
    assert read(Dropping().eval(), tmp_path).operators["dropout"] == 1


def test_numbers_that_nobody_uses_do_no_harm(tmp_path: Path) -> None:
    def layers(x: Tensor) -> Tensor:
        torch.rand([])
        return x * 2

    assert read(Called(layers).eval(), tmp_path).operators["rand"] == 1


def test_every_operator_that_torch_calls_random_is_known() -> None:
    known = drawing.ALWAYS | drawing.TRAINING
    for name in torch._C._dispatch_get_all_op_names():
        space, _, rest = name.partition("::")
        short, _, overload = rest.partition(".")
        if space != "aten" or short in known:
            continue
        operator = getattr(getattr(torch.ops.aten, short), overload or "default", None)
        if operator is not None and torch.Tag.nondeterministic_seeded in operator.tags:
            with pytest.raises(ValueError, match=short):  # a file that names it is refused anyway
                operators.check(f"torch.ops.aten.{short}.default")
