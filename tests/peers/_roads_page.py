"""The table of compare_phone_roads.py: bytes, distance from fp32, the task's metric, and times as ratios to onnx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from _roads_bundles import RUNTIMES, SUBJECTS, Road
from _roads_turns import Section

from edgekit.bench.machine import host
from edgekit.bench.metrics import table as metrics
from edgekit.bench.statistics import repeated

#: The road that the others' times are told as multiples of, each in its own precision.
BASE = "onnxruntime"
#: Where a page takes the table in.
BEGIN, END = "<!-- phone roads: begin -->", "<!-- phone roads: end -->"

#: Model, part, threads -> what was measured.
Sections = Mapping[tuple[str, str, int], Section]


def table(models: Sequence[Sequence[Road]], sections: Sections, threads: Sequence[int]) -> str:
    """Markdown: a line for each part of each road, then how it was measured."""
    head = ["model, part", "format", "file, bytes", "away from fp32", "task's metric (fp32)"]
    for count in threads:
        head += [f"{_threads(count)}, ms", f"times {BASE} (95 %)"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for roads in models:
        for part in _parts(roads):
            lines += (f"| {' | '.join(row)} |" for row in _rows(roads, part, sections, threads))
        for road in roads:
            if road.refused:
                row = [road.model, _format(road), f"refused: {road.refused}".replace("|", "/")]
                lines.append(f"| {' | '.join(row + [''] * (len(head) - len(row)))} |")
    return "\n".join([*lines, "", *_notes(models, sections)]) + "\n"


def placed(page: str, text: str) -> str:
    """`page` with `text` between its two marks; without marks, `text` alone."""
    if BEGIN not in page or END not in page:
        return text
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}"


def _parts(roads: Sequence[Road]) -> list[str]:
    made = [road.bundle.manifest.parts for road in roads if road.bundle]
    return [part.name for part in made[0] if part.name != "frontend"] if made else []


def _rows(roads: Sequence[Road], part: str, sections: Sections, threads: Sequence[int]) -> Iterator[list[str]]:
    first = part == _parts(roads)[0]
    for road in roads:
        if road.bundle is None:
            continue
        manifest = road.bundle.manifest
        facts = next(one for one in manifest.parts if one.name == part)
        size = f"{manifest.files[facts.file].size:,}"
        row = [f"{road.model}, {part}", _format(road), size, _short(facts.parity), _metric(road) if first else ""]
        for count in threads:
            row += _times(sections.get((road.model, part, count)), road)
        yield row


def _metric(road: Road) -> str:
    assert road.bundle is not None
    gate = road.bundle.manifest.gate
    if gate.value is None:
        return "not measured"
    metric = metrics.find(gate.metric)
    return f"{gate.metric} {metrics.format_value(metric, gate.value)} ({metrics.format_value(metric, gate.reference)})"


def _times(section: Section | None, road: Road) -> list[str]:
    """Milliseconds, and the ratio to onnx: the median over turns, for both met the same moment of the machine."""
    if section is None or not section.spent.get(road.key):
        return ["not measured", ""]
    spent = section.spent[road.key]
    base = section.spent.get((BASE, road.precision))
    return [f"{repeated.median(spent) * 1e3:.3g}", "1" if road.runtime == BASE else _ratio(base, spent)]


def _ratio(base: Sequence[float] | None, spent: Sequence[float]) -> str:
    pairs = [[one] for one in base or ()], [[one] for one in spent]
    value, ends = repeated.ratio(*pairs, paired=True), repeated.ratio_interval(*pairs, paired=True)
    if value is None or ends is None:
        return "not measured"
    return f"{value:.2f} ({ends[0]:.2f} .. {ends[1]:.2f})"


def _notes(models: Sequence[Sequence[Road]], sections: Sections) -> Iterator[str]:
    versions = host.versions(["onnxruntime", "ai-edge-litert", "executorch"])
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
    if absent := {one.model for one in SUBJECTS} - {road.model for roads in models for road in roads}:
        yield f"Not measured: {', '.join(sorted(absent))}."
    if not sections:
        return
    turns = [section.turns for section in sections.values()]
    yield f"Turns: {min(turns)} to {max(turns)} for each part and number of threads. Fidelity: host."
    told = [
        f"{one.model} {one.part}, {_threads(one.threads)}: {'; '.join(one.warnings)}"
        for one in sections.values()
        if one.warnings
    ]
    if told:
        yield f"The machine was busy in {len(told)} of {len(turns)} measurements, so milliseconds are too large and"
        yield f"only ratios count, roughly. The first: {told[0]}."
    else:
        yield "Nothing else ran on the machine."


def _format(road: Road) -> str:
    assert road.runtime in RUNTIMES
    return f"{road.runtime} {road.precision}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _short(error: float) -> str:
    """A relative error as people read it."""
    if error >= 1e-3:
        return f"{error:.2%}".replace("%", " %")
    return f"{error:.0e}".replace("e-0", "e-") if error else "0"
