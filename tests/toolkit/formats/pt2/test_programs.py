"""A .pt2 is described without torch, and becomes a plain module that computes the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.toys import toy_program

from edgekit.core import TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import pt2


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "toy.pt2"
    toy_program.save(path)
    return path


def test_names_dtypes_axes_and_layers_are_read(saved: Path) -> None:
    program = pt2.read(saved)
    assert program.inputs == (
        TensorSpec("image", "float32", (1, 3, 16, 16)),
        TensorSpec("tokens", "int64", (1, "tokens_1")),
    )
    assert program.outputs == (TensorSpec("logits", "float32", (1, 4)), TensorSpec("more_0", "float32", (1, 4)))
    assert program.ranges["tokens_1"].most == 50
    assert program.operators["linear"] == 2
    assert program.rows == {"image": 0, "tokens": 10}
    # The weight that two layers share counts once; BatchNorm's running statistics are no parameters.
    assert program.parameters == sum(tensor.numel() for tensor in toy_program.Toy().parameters())


def test_reading_loads_no_torch(saved: Path) -> None:
    code = f"import sys; from pathlib import Path; from edgekit.formats import pt2; pt2.read(Path({str(saved)!r})); "
    code += "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace")
def test_the_module_computes_the_same_for_every_size(saved: Path) -> None:
    module, toy = pt2.module_of(pt2.read(saved)), toy_program.Toy().eval()
    for length in (2, 9):
        image, tokens = torch.randn(1, 3, 16, 16), torch.randint(0, 10, (1, length))
        wanted = toy(image, tokens)
        logits, more = module(image, tokens)
        torch.testing.assert_close(logits, wanted["logits"])
        torch.testing.assert_close(more, wanted["more"][0])
    assert module.eval() is module  # as every exporter calls it
    torch.jit.trace(module, (image, tokens), check_trace=False)
    torch.export.export(module, (image, tokens))


def test_inputs_that_are_no_tensors_are_fixed(tmp_path: Path) -> None:
    class Choice(torch.nn.Module):
        def forward(self, x: torch.Tensor, times: int, mask: torch.Tensor | None = None) -> torch.Tensor:
            return x * times if mask is None else x * mask

    torch.export.save(torch.export.export(Choice(), (torch.ones(2), 3, None)), tmp_path / "c.pt2")
    program = pt2.read(tmp_path / "c.pt2")
    assert [spec.name for spec in program.inputs] == ["x"]
    assert program.constants == {1: 3, 2: None}
    (output,) = pt2.module_of(program)(torch.ones(2))
    assert output.tolist() == [3, 3]


def test_regions_without_gradients_are_opened(tmp_path: Path) -> None:
    class Region(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                y = x * 2
            with torch.autocast("cuda", enabled=False):
                return y + 1

    torch.export.save(torch.export.export(Region(), (torch.ones(2),)), tmp_path / "r.pt2")
    module = pt2.module_of(pt2.read(tmp_path / "r.pt2"))
    assert module(torch.ones(2))[0].tolist() == [3, 3]
    assert not [node for node in module.graph.nodes if "wrap_with" in str(node.target)]


def test_steps_that_write_into_a_part_make_another_tensor(tmp_path: Path) -> None:
    class Written(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.zeros_like(x)
            y[:, 1:3] = x[:, :2] * 2
            y[:, 0] = x.sum()
            return y.masked_fill_(x > 8, -1.0)

    torch.export.save(torch.export.export(Written(), (torch.ones(1, 4),)), tmp_path / "w.pt2")
    module, x = pt2.module_of(pt2.read(tmp_path / "w.pt2")), torch.tensor([[1.0, 2.0, 3.0, 9.0]])
    assert torch.equal(module(x)[0], Written()(x))
    assert not [node for node in module.graph.nodes if str(node.target).split(".")[-2:-1] == ["copy_"]]


@pytest.mark.parametrize("part", [slice(None), 0])
def test_a_module_that_changes_its_own_state_is_refused(part: Any, tmp_path: Path) -> None:
    class Counter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count[part] += 1
            return x + self.count

    torch.export.save(torch.export.export(Counter(), (torch.ones(1),)), tmp_path / "c.pt2")
    with pytest.raises(BadInput, match=r"changes its weight 'count' \(add_\)"):
        pt2.read(tmp_path / "c.pt2")


@pytest.mark.parametrize(
    ("inside", "given", "named"),
    [
        (torch.bfloat16, torch.bfloat16, r"the input 'x' \(and 3 more\)"),
        (torch.bfloat16, torch.float32, r"the weight 'linear.weight' \(and 1 more\)"),
        (torch.float32, torch.bfloat16, r"the input 'x' \(and 1 more\)"),
    ],
)
def test_bfloat16_is_refused_with_what_to_do(
    inside: torch.dtype, given: torch.dtype, named: str, tmp_path: Path
) -> None:
    class Cast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 2).to(inside)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.linear(x.to(inside)).to(given)
            return y

    torch.export.save(torch.export.export(Cast().eval(), (torch.ones(1, 4, dtype=given),)), tmp_path / "b.pt2")
    with pytest.raises(Unsupported, match=named) as refused:
        pt2.read(tmp_path / "b.pt2")
    assert "network.float()" in refused.value.hint


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_a_layer_of_width_0_is_refused_by_its_weight(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(4, 0), torch.nn.Linear(0, 2))
    torch.export.save(torch.export.export(network.eval(), (torch.ones(1, 4),)), tmp_path / "n.pt2")
    with pytest.raises(BadInput, match=r"width 0: its weight '0.weight' has the shape \[0, 4\]"):
        pt2.read(tmp_path / "n.pt2")
