"""Static int8 for runtimes that want all of a network in integers, with activations of 8 or 16 bits."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from helpers.toys.tiny_vision import LAYERS, PART, Tiny, pictures, quiet
from torch import Tensor, nn

from edgekit.core import Part, Recipe, TensorSpec
from edgekit.errors import Unsupported
from edgekit.exporters.onnx import EXPORTER
from edgekit.exporters.onnx.convolutions import static
from edgekit.exporters.onnx.graph import CONTRIB, from_torch
from edgekit.numerics.parity import relative_error
from edgekit.quantization.plan import Wish
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import TorchRunner

PRODUCTS = ("Conv", "Gemm", "MatMul")


def made_of(
    part: Part, module: nn.Module, feeds: list[dict[str, np.ndarray]], bits: int
) -> tuple[onnx.ModelProto, float]:
    model, _, facts = static.make(
        from_torch(part, module),
        feeds[:-8],
        "network",
        Wish(float_layers=None, head=False),
        quiet,
        static.Needs(True, bits),
    )
    onnx.checker.check_model(model)
    runner, truth = OnnxRunner(model.SerializeToString(), 1), TorchRunner(part, module)
    pairs = [(runner(feed), truth(feed)) for feed in feeds[-8:]]
    assert not facts["fused"]  # onnxruntime does not compute it in the end
    return model, relative_error([made for made, _ in pairs], [wanted for _, wanted in pairs])


def check_whole(model: onnx.ModelProto, products: int) -> None:
    """Every product reads quantized values, and its result is quantized at once."""
    made = {output: node for node in model.graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    held = {name for name in made if made[name].op_type == "DequantizeLinear"}
    found = [node for node in model.graph.node if node.op_type in PRODUCTS and held.intersection(node.input)]
    assert len(found) == products
    for node in found:
        sources = [made[name] for name in node.input[:2]]
        sources = [made[one.input[0]] if one.op_type == "Transpose" else one for one in sources]
        assert [one.op_type for one in sources] == ["DequantizeLinear"] * 2, node.name
        assert [one.op_type for one in readers[node.output[0]]] == ["QuantizeLinear"], node.name


@pytest.mark.parametrize(("bits", "most"), [(8, 0.06), (16, 0.02)])
def test_all_of_a_network_of_convolutions(bits: int, most: float) -> None:
    model, away = made_of(PART, Tiny(), pictures(48), bits)
    check_whole(model, LAYERS)
    assert away < most
    pairs = {node.domain for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert pairs == {CONTRIB if bits == 16 else ""}  # ONNX itself has 16 bits since 21 only


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.norm, self.last = nn.Linear(16, 48), nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inner(self.norm(x)).chunk(3, -1)
        return self.last(x + torch.softmax(q @ k.transpose(1, 2) / 4, -1) @ v)


@pytest.mark.parametrize(("bits", "most", "products"), [(8, 0.06, 4), (16, 0.02, 2)])
def test_products_of_two_activations(rng: np.random.Generator, bits: int, most: float, products: int) -> None:
    """In 16 bits they stay float."""
    specs = [TensorSpec("x", "float32", (1, 6, 16)), TensorSpec("y", "float32", (1, 6, 4))]
    part = Part("network", (specs[0],), (specs[1],), {}, build=lambda checkpoint: Attention())
    feeds = [{"x": rng.standard_normal((1, 6, 16)).astype(np.float32)} for _ in range(48)]
    model, away = made_of(part, Attention(), feeds, bits)
    check_whole(model, products)
    assert away < most


def test_16_bits_are_for_runtimes_that_have_them() -> None:
    model = find("models", "ds-cnn-kws")
    EXPORTER.check_recipe(model, Recipe("qnn", "int8", {"activations": 16}))
    with pytest.raises(Unsupported, match="no activations of 16 bits"):
        EXPORTER.check_recipe(model, Recipe("onnxruntime", "int8", {"activations": 16}))


def test_the_ladder() -> None:
    ladder = EXPORTER.ladder(find("models", "ds-cnn-kws"), Recipe("qnn", "int8"))
    assert [(one.precision, one.options.get("activations", 8)) for one in ladder] == [
        ("int8", 8), ("int8", 16), ("fp16", 8), ("fp32", 8),
    ]  # fmt: skip
