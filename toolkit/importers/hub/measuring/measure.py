"""A plan's outputs, parameters and costs, from the network on torch's meta device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch import Tensor as Values
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from edgekit.core import TensorSpec, Work
from edgekit.errors import BadInput
from edgekit.importers.hub.measuring.preprocessing import check_tokens, normalisation
from edgekit.importers.hub.networks.loading import empty, quiet
from edgekit.importers.hub.networks.modules import MODULES
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import Repository

#: Outputs of a network that are not for its caller.
_INNER = ("encoder_last_hidden_state", "loss")
_PRODUCTS = (nn.Linear, nn.Embedding, nn.modules.conv._ConvNd)

Shapes = dict[str, tuple[int, ...]]


def measure_plan(plan: Plan, repository: Repository) -> Plan:
    """`plan`, complete.

    Raises:
        Unsupported: its preprocessing is not reproduced here. BadInput: transformers cannot build or call it.
    """
    if plan.kind == "picture":
        facts, settings = normalisation(repository, plan.facts["height"], plan.facts["width"])
        parts = tuple(msgspec.structs.replace(part, settings={**part.settings, **settings}) for part in plan.parts)
        plan = msgspec.structs.replace(plan, parts=parts, facts={**plan.facts, **facts})
    elif plan.kind == "text":
        check_tokens(plan, repository)
    network, shapes = empty(plan, repository.config), Shapes()
    done = [_measure_part(plan, part, network, shapes) for part in plan.parts]
    fixed = [_measure_part(plan, part, network, shapes)[0] for part in plan.fixed]
    return msgspec.structs.replace(
        plan,
        parts=tuple(part for part, _ in done),
        fixed=tuple(fixed),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        works=tuple(work for _, work in done),
    )


def _measure_part(plan: Plan, part: PartPlan, network: nn.Module, shapes: Shapes) -> tuple[PartPlan, Work]:
    """A part with its outputs, and its work at the examples' sizes; `shapes` of the tensors of earlier parts."""
    known = tuple(replace(spec, shape=shapes[spec.name]) if "?" in spec.shape else spec for spec in part.inputs)
    part = msgspec.structs.replace(part, inputs=known)
    module = network if part.module == "arrays" else MODULES[part.module](network, part).to("meta")
    sizes = {name: axis.example for name, axis in part.axes.items()}
    with FlopCounterMode(display=False) as counter, _Peak(module) as peak:
        outputs = _infer_outputs(plan, part, module, sizes)
    shapes |= {name: tuple(value.shape) for name, value in outputs.items()}
    if part.outputs:
        declared = zip(part.outputs, outputs.values(), strict=True)
        specs = tuple(_fill_shape(spec, value) for spec, value in declared)
    else:
        other = {name: size + 8 for name, size in sizes.items()}
        again = _infer_outputs(plan, part, module, other) if other else outputs
        specs = tuple(_infer_spec(name, value, again[name], sizes) for name, value in outputs.items())
    return msgspec.structs.replace(part, outputs=specs), _work(part, module, counter.get_total_flops() // 2, peak.bytes)


def _infer_outputs(plan: Plan, part: PartPlan, module: nn.Module, sizes: Mapping[str, int]) -> dict[str, Values]:
    """Output name -> tensor without values, of inputs of these sizes."""
    told = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in part.inputs)
    try:
        with quiet(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), torch.device("meta"):
            feeds = {
                spec.name: torch.zeros(
                    [axis if isinstance(axis, int) else sizes[axis] for axis in spec.shape],
                    dtype=getattr(torch, spec.dtype),
                )
                for spec in part.inputs
            }
            out = module(**feeds) if part.module == "arrays" else module(*feeds.values())
    except Exception as exc:  # a stranger's network: anything
        reason = next((line.strip() for line in str(exc).splitlines() if line.strip()), "no reason")[:300]
        raise BadInput(f"{plan.built} cannot be called with {told}: {type(exc).__name__}: {reason}.") from exc
    if part.module != "arrays":
        return {part.outputs[0].name: out}
    named = {name: value for name, value in out.items() if isinstance(value, Values) and name not in _INNER}
    if not named:
        raise BadInput(f"{plan.built} gives no tensor that has a name.")
    return named


def _fill_shape(spec: TensorSpec, value: Values) -> TensorSpec:
    """`spec` with the sizes that came out; names of axes stay."""
    shape = tuple(
        axis if isinstance(axis, str) and axis != "?" else int(size)
        for axis, size in zip(spec.shape, value.shape, strict=True)
    )
    return TensorSpec(spec.name, _dtype(value), shape)


def _infer_spec(name: str, value: Values, again: Values, sizes: Mapping[str, int]) -> TensorSpec:
    """An output; a size that differed the second time is an axis, of the input's name where it is as long."""
    axes = {size: axis for axis, size in sizes.items()}
    shape = tuple(
        int(size) if size == other else axes.get(int(size), f"{name}_{at}")
        for at, (size, other) in enumerate(zip(value.shape, again.shape, strict=True))
    )
    return TensorSpec(name, _dtype(value), shape)


def _dtype(value: Values) -> str:
    return str(value.dtype).removeprefix("torch.")


class _Peak:
    """Inside, the most bytes that a layer of `module` reads and writes, in float32."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self.bytes = module, 0

    def __enter__(self) -> _Peak:
        leaves = [layer for layer in self._module.modules() if not any(layer.children())]
        self._hooks = [layer.register_forward_hook(self._record_bytes) for layer in leaves]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _record_bytes(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        moved = [value.numel() for value in (*inputs, output) if isinstance(value, Values)]
        self.bytes = max(self.bytes, 4 * sum(moved))


def _work(part: PartPlan, module: nn.Module, macs: int, activations: int) -> Work:
    """Weights in products and tables of words are shrunk by a precision, the rest is not; a shared one counts once."""
    products = [layer for layer in module.modules() if isinstance(layer, _PRODUCTS)]
    weights = {id(layer.weight): layer.weight for layer in products}
    rest = [value for value in (*module.parameters(), *module.buffers()) if id(value) not in weights]
    biases = sum(layer.weight.shape[0] for layer in products if not isinstance(layer, nn.Embedding))
    convolutions = sum(isinstance(layer, nn.modules.conv._ConvNd) for layer in products)
    return Work(
        part=part.name,
        kind="convolution" if 2 * convolutions > len(products) else "attention",
        macs=macs,
        weights=sum(value.numel() for value in weights.values()),
        channels=biases,
        tables=max(0, sum(value.numel() for value in rest) - biases),
        layers=len(products),
        activations=activations,
        quantized=part.quantize,
    )
