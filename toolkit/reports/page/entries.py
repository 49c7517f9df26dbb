"""The cells of a page: a report each, with the names and figures that tables and plots of several need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from edgekit.bench import metrics
from edgekit.bench.machine import host
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.core import Facts, Measurement, Report, is_synthetic
from edgekit.reports.page.elements import badge, number, text
from edgekit.reports.summary import Summary, strata, summary, title

#: The measurements that are a cell's cost, in order of preference.
_COSTS = ("end_to_end.latency", "network.instructions", "tg128")

#: Parts of a cell's name, in order.
_NAMES = ("model", "target", "runtime", "precision")


@dataclass(frozen=True)
class Entry:
    """A report on a page; `at` counts from 1 and names its section."""

    at: int
    report: Report
    _cache: dict[str, Summary] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def measurements_by_name(self) -> Mapping[str, Measurement]:
        return {item.name: item for item in self.report.measurements}

    @cached_property
    def model(self) -> str:
        """The model's name, or the bundle's if the report has no model."""
        return printable(self.report.bundle.get("model") or title(self.report))

    @cached_property
    def recipe(self) -> str:
        """The target, runtime, precision and threads of the cell."""
        bundle = self.report.bundle
        words = [printable(bundle[key]) for key in _NAMES[1:] if bundle.get(key)]
        threads = self.report.threads
        return " ".join([*words, f"{threads} thread{'s' if threads > 1 else ''}"])

    @cached_property
    def synthetic(self) -> bool:
        return is_synthetic(self.report.inputs)

    @property
    def badge(self) -> str:
        """Its fidelity and its kind of inputs as HTML labels."""
        return badge(self.report.fidelity, self.synthetic)

    @property
    def name(self) -> str:
        return f"{self.model} {self.recipe}"

    @cached_property
    def cost(self) -> Measurement | None:
        """The measurement of its speed: the latency of the whole model, instructions, tokens per second, or another
        count or time."""
        for name in _COSTS:
            if name in self.measurements_by_name:
                return self.measurements_by_name[name]
        timed = [item for item in self.report.measurements if item.unit in ("s", "instructions", "cycles")]
        return timed[0] if timed else None

    @cached_property
    def gate(self) -> Facts:
        """The gate's verdict in the report, or an empty mapping."""
        gate = self.report.bundle.get("gate")
        return gate if isinstance(gate, Mapping) else {}

    @property
    def verdict(self) -> str:
        verdict = self.report.bundle.get("verdict", self.gate.get("verdict"))
        return verdict if verdict in ("pass", "fail", "undecided") else "not measured"

    @property
    def metric(self) -> str:
        return printable(self.gate.get("metric") or "")

    @property
    def accuracy(self) -> float | None:
        return number(self.gate.get("value")) if self.metric else None

    @property
    def size(self) -> float | None:
        """Bytes of the bundle."""
        return number(self.report.bundle.get("size"))

    @cached_property
    def machine(self) -> tuple[str, ...]:
        """The facts that cells of a column share: the fidelity, the kind of inputs, the machine."""
        inputs = "synthetic" if self.synthetic else "real"
        return (self.report.fidelity, inputs, *(printable(self.report.host.get(key)) for key in host.IDENTITY))

    def summary(self, item: Measurement) -> Summary:
        """Statistics of a measurement; they need a bootstrap, so they are cached."""
        if item.name not in self._cache:
            self._cache[item.name] = summary(item, strata(self.report, item))
        return self._cache[item.name]

    def median(self, name: str) -> float | None:
        item = self.measurements_by_name.get(name)
        return self.summary(item).median if item else None

    def link(self, words: str | None = None) -> str:
        """A link to its section, as HTML."""
        return f'<a href="#cell-{self.at}">{text(self.name if words is None else words)}</a>'


def group_cells(cells: Sequence[Entry], key: Callable[[Entry], Any]) -> list[list[Entry]]:
    """Groups of cells with equal keys, in the order of their first cells."""
    groups: dict[Any, list[Entry]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.values())


def labels(cells: Sequence[Entry]) -> list[str]:
    """A short name for each: the parts that differ among them, with a number if none does."""
    columns = [[printable(cell.report.bundle.get(key) or "") for cell in cells] for key in _NAMES[1:]]
    columns = [[cell.model for cell in cells], *columns, [_threads(cell) for cell in cells]]
    telling = [column for column in columns if len(set(column)) > 1] or [columns[0]]
    names = [" ".join(filter(None, words)) for words in zip(*telling, strict=True)]
    return [f"{name} #{cell.at}" if names.count(name) > 1 else name for name, cell in zip(names, cells, strict=True)]


def _threads(cell: Entry) -> str:
    return f"{cell.report.threads} thr"


def machine_name(cell: Entry) -> str:
    """The name of the machine on which a cell was measured."""
    known = [cell.report.host.get(key) for key in ("cpu", "release")]
    return ", ".join(printable(item) for item in known if item) or "an unknown machine"


def with_interval(cell: Entry, item: Measurement) -> tuple[str, str]:
    """The median of a measurement and its 95 % interval, as texts."""
    stats = cell.summary(item)
    if stats.low is None:
        return figure(stats.median, item.unit), "-"
    return figure(stats.median, item.unit), f"{figure(stats.low, item.unit)} .. {figure(stats.high, item.unit)}"


_SYMBOLS = {"pass": "✓", "fail": "✗", "undecided": "?", "not measured": "·"}


def verdict(entry: Entry) -> str:
    """The gate's verdict as an HTML label, with a sign for people who do not see colours."""
    kind = "unmeasured" if entry.verdict == NOT_MEASURED else entry.verdict
    return (
        f'<span class="verdict {kind}"><span aria-hidden="true">{_SYMBOLS[entry.verdict]} </span>{entry.verdict}</span>'
    )


def accuracy(entry: Entry) -> str:
    """The metric's value with its name, as text."""
    return f"{metric_text(entry.metric, entry.accuracy)} {entry.metric}".strip() if entry.metric else NOT_MEASURED


def metric_text(name: str, value: float | None, form: str = "") -> str:
    """A value of a metric as the gate shows it; the plain figure for an unknown metric."""
    known = metrics.METRICS.get(name)
    return figure(value, "1") if known is None else metrics.format_value(known, value, form)


def gate_rows(entry: Entry) -> list[tuple[str, str]]:
    """Rows of the gate's measurements: quantity and value; empty if it measured nothing."""
    gate = entry.gate
    if entry.accuracy is None and number(gate.get("samples")) in (None, 0.0):
        return []
    lost, low, high = (metric_text(entry.metric, _signed_number(gate.get(key)), "+") for key in ("drop", "low", "high"))
    return [
        (entry.metric or "metric", metric_text(entry.metric, entry.accuracy)),
        ("the same in fp32", metric_text(entry.metric, number(gate.get("reference")))),
        ("loss against fp32", lost),
        ("95 % interval of the loss", f"{low} .. {high}"),
        ("samples", printable(gate.get("samples"))),
        ("data", printable(gate.get("data"))),
    ]


def _signed_number(value: Any) -> float | None:
    """A finite number out of JSON, of either sign."""
    negative = isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0
    size = number(-value if negative else value)
    return None if size is None else -size if negative else size
