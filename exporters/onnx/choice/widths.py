"""How many bits the weights of each product get in a packed file, so that all of them take what the recipe says.

A trial tells how far the outputs move where a product alone has 4 bits. A bit more halves a step, and so the error. The
bits then go where they take most squared error away for a byte (`edgekit.quantization.allocation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import onnx

from edgekit.core import Feeds
from edgekit.exporters.onnx.choice.trials import Trials, calls_of
from edgekit.exporters.onnx.choice.weights import CODED
from edgekit.exporters.onnx.finding import Product, products, rows_of
from edgekit.exporters.onnx.products import quantize
from edgekit.quantization.allocation import Choice, allocate
from edgekit.quantization.plan import LayerPlan

#: Bits that a product may have, and those of the trial.
_WIDTHS, _TRIED = (*CODED, 8.0), 4.0
#: Bytes of an output's scale.
_SCALE = 4


def narrow_weights(
    model: onnx.ModelProto,
    choice: Mapping[str, LayerPlan],
    feeds: Sequence[Feeds],
    bits: float,
    tell: Callable[[int, int], None],
) -> dict[str, LayerPlan]:
    """`choice` in which the weights of products take `bits` in the file on average, their scales included.

    Products that stay float do not count. Where even the narrowest take more, all are of these.

    Args:
        feeds: real inputs of the part.
    """
    found = {one.node: one for one in products(model) if one.node in choice and choice[one.node].form != "float"}
    if not found:
        return dict(choice)
    calls = calls_of(list(found.values()), rows_of(model, list(found.values()), feeds), feeds)
    trials = Trials(model, list(found), calls)
    choices, errors = dict[str, list[Choice]](), dict[str, float]()
    for node, product in found.items():
        tell(len(errors), len(found))
        form = choice[node].form
        tried = {node: _narrow(form, product, _TRIED)}
        errors[node] = trials.error(node, partial(quantize, forms=tried))
        choices[node] = [
            Choice(_narrow(form, product, width), errors[node] ** 2 * 4.0 ** (_TRIED - width), _bytes(product, width))
            for width in _WIDTHS
        ]
    chosen = allocate(choices, int(bits / 8 * sum(math.prod(one.shape) for one in found.values())))
    return {
        node: _with(plan, chosen[node].kind, errors[node]) if node in chosen else plan for node, plan in choice.items()
    }


def _narrow(form: str, product: Product, bits: float) -> str:
    """The form of a product that is computed as `form`, with weights of `bits` in the file."""
    return form if bits == _WIDTHS[-1] else f"{'table' if product.table else form}-{bits:g}"


def _bytes(product: Product, bits: float) -> int:
    """Of weights and scales in the file."""
    return int(math.prod(product.shape) * bits / 8) + _SCALE * product.shape[1]


def _with(plan: LayerPlan, form: str, error: float) -> LayerPlan:
    return replace(
        plan, form=form, why=f"{plan.why}; with weights of {_TRIED:g} bits it alone moves the outputs by {error:.2%}"
    )
