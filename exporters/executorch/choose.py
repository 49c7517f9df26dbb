"""Which int8 form a part gets, and with which ranges: decided by measured error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgekit.core import Feeds, Part, Progress
from edgekit.errors import ExportFailed
from edgekit.exporters.common import samples
from edgekit.exporters.executorch import bias
from edgekit.exporters.executorch import int8 as executorch_int8
from edgekit.exporters.executorch.int8 import CALIBRATIONS
from edgekit.exporters.executorch.tidy import WEIGHTED, Graph
from edgekit.exporters.executorch.wish import Wish
from edgekit.numerics.parity import relative_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Calls that an error is measured on, evenly spaced.
_MEASURED = 16


@dataclass(frozen=True)
class Choice:
    """What was made, and why.

    Attributes:
        form: "float" where nothing was quantized. graph: what is to be lowered.
        layers: layer -> ``{"form": ..., "why": ...}``. facts: what was tried and measured (JSON-able).
    """

    form: str
    graph: Graph
    layers: Mapping[str, Mapping[str, str]]
    facts: Mapping[str, Any]


def choose(part: Part, graph: Graph, feeds: Sequence[Feeds], wish: Wish, tell: Progress) -> Choice:
    """Quantize the float `graph` as `wish` says; where it leaves a choice, as moves the outputs least.

    Errors are those of torch computing what the program will: rounding, not XNNPACK's kernels.

    Raises:
        BadInput: the static form needs more, or other, calibration samples. ExportFailed: PT2E cannot do it.
    """
    kept = {name: "the recipe says so" for name in executorch_int8.layers(graph) if name in wish.float_layers}
    forms, reason = _forms(part, graph, feeds, wish)
    measure = _Measure(part, graph, feeds)
    made, failed = _made(part, graph, feeds, wish, forms, kept, tell)
    errors = {name: measure.error(graph) for name, (_, _, graph) in made.items()} if feeds else {}
    best = min(made, key=lambda name: errors.get(name, 0.0))
    form, kind, chosen = made[best]
    told = {name: round(error, 5) for name, error in errors.items()}
    why = f"{best}: {reason}"
    if len(told) > 1:
        why += "; away from float: " + ", ".join(f"{name} {error:.1%}" for name, error in told.items())
    if form == "static":
        tell(f"correcting biases of {part.name}", 0, 0)
        bias.corrected(part, chosen, graph, feeds)
        told[f"{best}, biases corrected"] = round(after := measure.error(chosen), 5)
        if after >= errors[best]:
            chosen = executorch_int8.converted(executorch_int8.prepared(part, graph, form, kept, feeds), kind)
    facts = {"form": form, "ranges": kind, "samples": len(feeds), "errors": told, "impossible": failed}
    return Choice(form, chosen, _told(graph, chosen, form, why, kept), facts)


def _made(
    part: Part,
    graph: Graph,
    feeds: Sequence[Feeds],
    wish: Wish,
    forms: Sequence[str],
    kept: Mapping[str, str],
    tell: Progress,
) -> tuple[dict[str, tuple[str, str, Graph]], dict[str, str]]:
    """Every form that can be made, by the name that it is told by; and why others cannot."""
    made: dict[str, tuple[str, str, Graph]] = {}
    failed: dict[str, str] = {}
    for form in forms:
        tell(f"calibrating {part.name} ({form})", 0, 0)
        kinds = ("",) if form == "dynamic" else (wish.calibration,) if wish.calibration else CALIBRATIONS
        try:
            ready = executorch_int8.prepared(part, graph, form, kept, feeds)
            made |= {_spoken(form, kind): (form, kind, executorch_int8.converted(ready, kind)) for kind in kinds}
        except Exception as exc:  # torchao raises whatever went wrong, of any kind
            failed[form] = _first_line(exc)
    if not made:
        reasons = "; ".join(f"{form}: {why}" for form, why in failed.items())
        raise ExportFailed(
            f"PT2E cannot quantize the part {part.name!r} ({reasons}).",
            hint="Choose --precision fp32, or keep the part in float with float_parts.",
        )
    return made, failed


def _forms(part: Part, graph: Graph, feeds: Sequence[Feeds], wish: Wish) -> tuple[list[str], str]:
    """The forms to try, and why these."""
    if wish.form:
        forms, why = [wish.form], "the recipe says so"
    elif executorch_int8.convolutional(graph):
        forms, why = ["static"], "convolutions do most of the work"
    elif samples.different(feeds) >= samples.FEWEST:
        forms, why = ["static", "dynamic"], "products of matrices do most of the work, so the closest to float"
    else:
        forms, why = ["dynamic"], f"too few samples to calibrate by ({len(feeds)})"
    if "static" in forms:
        samples.enough(feeds, part.name)
    return forms, why


def _told(graph: Graph, chosen: Graph, form: str, why: str, kept: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """What became of every layer: one is int8 where its weights come out of a step from int8."""
    int8 = {
        node.name for node in chosen.graph.nodes
        if node.target in WEIGHTED and node.args[1].op == "call_function"
    }  # fmt: skip
    out = {}
    for name, node in executorch_int8.layers(graph).items():
        if node.name in int8:
            out[name] = {"form": form, "why": why}
        else:
            out[name] = {"form": "float", "why": kept.get(name, f"XNNPACK has no {form} int8 form for it")}
    return out


class _Measure:
    """How far a graph is away from float, over several calls: all of them count, not the worst one."""

    def __init__(self, part: Part, graph: Graph, feeds: Sequence[Feeds]) -> None:
        self._part = part
        self._calls = [executorch_int8.tensors(part, feed) for feed in feeds[:: max(1, -(-len(feeds) // _MEASURED))]]
        self._expected = self._pooled(graph) if feeds else {}

    def error(self, graph: Graph) -> float:
        return relative_error([self._pooled(graph)], [self._expected])

    def _pooled(self, graph: Graph) -> dict[str, NDArray[Any]]:
        with torch.no_grad():
            answers = [graph(*call) for call in self._calls]
        sides = [answer if isinstance(answer, list | tuple) else (answer,) for answer in answers]
        return {
            spec.name: np.concatenate([side[i].numpy().reshape(-1) for side in sides])
            for i, spec in enumerate(self._part.outputs)
        }


def _spoken(form: str, kind: str) -> str:
    return f"{form} ({kind})" if kind else form


def _first_line(exc: BaseException) -> str:
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return next((line.strip()[:300] for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
