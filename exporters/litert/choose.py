"""Which int8 form a part gets, with which ranges and which layers left in float: decided by measured error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core import Feeds, Progress
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.common import samples
from edgekit.exporters.litert import bias, file, int8
from edgekit.exporters.litert.runner import LitertRunner
from edgekit.exporters.litert.watch import Watcher
from edgekit.exporters.litert.wish import Wish
from edgekit.formats.tflite.tensors import Specs
from edgekit.numerics.parity import relative_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Calls that an error is measured on, evenly spaced; and for the many trials of single layers.
_MEASURED, _MEASURED_ALONE = 16, 4


@dataclass(frozen=True)
class Choice:
    """What was made, and why.

    Attributes:
        form: "float" where nothing was quantized. content: the file. why: of the form, for every layer.
        kept: layer that stays float -> why. facts: what was tried and measured (JSON-able).
    """

    form: str
    content: bytes
    why: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def choose(
    content: bytes, specs: Specs, feeds: Sequence[Feeds], wish: Wish, part: str, threads: int, tell: Progress
) -> Choice:
    """Quantize the fp32 file `content` as `wish` says; where it leaves a choice, as moves the outputs least.

    Raises:
        BadInput: the static form needs more, or other, calibration samples. ExportFailed: the quantizer cannot do it.
    """
    return _Chooser(content, specs, feeds, part, threads, tell).choose(wish)


class _Chooser:
    def __init__(
        self, content: bytes, specs: Specs, feeds: Sequence[Feeds], part: str, threads: int, tell: Progress
    ) -> None:
        self._content, self._specs, self._feeds, self._part = content, specs, feeds, part
        self._threads, self._tell, self._weights = threads, tell, "per-channel"
        model = file.parse(content)
        self._layers = [name for name, *_ in file.weighted(model)]
        self._convolutional = int8.convolutional(model)
        self._expected: dict[int, Mapping[str, NDArray[Any]]] = {}
        self._ranges: dict[str, Any] = {}

    def choose(self, wish: Wish) -> Choice:
        self._weights = wish.weights
        forms, reason = self._forms(wish)
        count = wish.float_layers if isinstance(wish.float_layers, int) else 0
        named = () if isinstance(wish.float_layers, int) else wish.float_layers
        kept = {name: "the recipe says so" for name in named if name in self._layers}
        ranges = [wish.calibration] if wish.calibration else int8.CALIBRATIONS
        tries = [(form, kind) for form in forms for kind in (ranges if form == "static" else [""])]
        made = {tried: self._made(*tried, wish.io, tuple(kept)) for tried in tries}
        errors = {tried: self._error(one) for tried, one in made.items()} if self._feeds else {}
        best = min(tries, key=lambda tried: errors.get(tried, 0.0))
        told = {_spoken(*tried): round(error, 5) for tried, error in errors.items()}
        facts: dict[str, Any] = {"form": best[0], "ranges": best[1], "samples": len(self._feeds), "errors": told}
        why = f"{_spoken(*best)}: {reason}"
        if len(told) > 1:
            why += "; away from float: " + ", ".join(f"{name} {error:.1%}" for name, error in told.items())
        content, name = made[best], _spoken(*best)
        if count:
            kept = self._sensitive(best, wish.io, count)
            content, name = self._made(*best, wish.io, tuple(kept)), f"{name}, {len(kept)} in float"
            told[name] = round(self._error(content), 5)
        if best[0] == "static":
            better = self._corrected(best[1], wish.io, tuple(kept))
            error = self._error(better)
            told[f"{name}, biases corrected"] = round(error, 5)
            content = better if error < self._error(content) else content
        return Choice(best[0], content, why, kept, facts)

    def _corrected(self, kind: str, io: str, kept: tuple[str, ...]) -> bytes:
        """The static file with corrected biases."""

        def make(given: bytes, ends: str = "float") -> bytes:
            return int8.static(given, self._range(kind), ends, kept, self._part, self._weights)

        def tell(done: int, total: int) -> None:
            self._tell(f"correcting biases of {self._part}", done, total)

        shifted = bias.corrected(self._content, make, self._watcher, self._feeds, tell)
        return make(shifted, io)

    def _sensitive(self, best: tuple[str, str], io: str, count: int) -> dict[str, str]:
        """The layers that bring the outputs closest to float where each alone stays float: layer -> why."""
        if not self._feeds:
            raise BadInput(
                f"the sensitive layers of the part {self._part!r} are found by measuring, and there was no input.",
                hint="Give a folder of real inputs with --calibration DIR, or name the layers.",
            )
        alone = {}
        for i, layer in enumerate(self._layers):
            self._tell(f"measuring layers of {self._part}", i, len(self._layers))
            alone[layer] = self._error(self._made(*best, io, (layer,)), _MEASURED_ALONE)
        before = self._error(self._made(*best, io, ()), _MEASURED_ALONE)
        worst = sorted(self._layers, key=lambda layer: alone[layer])[:count]
        return {
            layer: f"alone in float it moves the outputs from {before:.1%} away from float to {alone[layer]:.1%}"
            for layer in worst
        }

    def _forms(self, wish: Wish) -> tuple[list[str], str]:
        """The forms to try, and why these."""
        if wish.form:
            forms, why = [wish.form], "the recipe says so"
        elif self._convolutional:
            forms, why = ["static"], "convolutions do most of the work"
        elif samples.different(self._feeds) >= samples.FEWEST:
            forms, why = ["static", "dynamic"], "products of matrices do most of the work, so the closest to float"
        else:
            forms, why = ["dynamic"], f"too few samples to calibrate by ({len(self._feeds)})"
        if "static" in forms:
            samples.enough(self._feeds, self._part)
        return forms, why

    def _made(self, form: str, kind: str, io: str, kept: tuple[str, ...]) -> bytes:
        if form == "static":
            return int8.static(self._content, self._range(kind), io, kept, self._part, self._weights)
        make = int8.dynamic if form == "dynamic" else int8.weight_only
        return make(self._content, kept, self._part)

    def _range(self, kind: str) -> Any:
        if kind not in self._ranges:
            self._tell(f"calibrating {self._part} ({kind})", 0, 0)
            tail = int8.TAIL if kind == "percentile" else 0.0
            self._ranges[kind] = int8.ranges(self._watcher(self._content), self._feeds, tail)
        return self._ranges[kind]

    def _watcher(self, content: bytes) -> Watcher:
        return Watcher(content, self._specs, self._threads)

    def _error(self, content: bytes, most: int = _MEASURED) -> float:
        """How far `content` is away from float over several calls: all of them count, not the worst one."""
        chosen = self._feeds[:: max(1, -(-len(self._feeds) // most))]
        if most not in self._expected:
            self._expected[most] = self._pooled(self._content, chosen)
        return relative_error([self._pooled(content, chosen)], [self._expected[most]])

    def _pooled(self, content: bytes, feeds: Sequence[Feeds]) -> dict[str, NDArray[Any]]:
        try:
            runner = LitertRunner(content, self._threads, self._specs)
            answers = [runner(feed) for feed in feeds]
        except BadInput as exc:
            raise ExportFailed(f"what was made of the part {self._part!r} does not run: {exc.message}") from exc
        return {name: np.concatenate([answer[name].reshape(-1) for answer in answers]) for name in answers[0]}


def _spoken(form: str, kind: str) -> str:
    return f"{form} ({kind})" if kind else form
