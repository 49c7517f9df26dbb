"""Tables of measured bundles: figures of a machine, counts of a microcontroller, and what both mean."""

from __future__ import annotations

from collections.abc import Sequence

from measured import Row
from text import table

from edgekit.bench.metrics.table import METRICS, format_value
from edgekit.common.figures import NOT_MEASURED, figure

__all__ = ["FIDELITY", "OLDER", "SAME", "accuracy", "chips", "compact", "figures_of", "hosted", "legend"]

#: Said of figures that were measured with other code than today's.
OLDER = "The code of this model or of its runtime has changed since: today's bundle may differ.\n"
#: Said of figures whose networks today's code makes, too.
SAME = (
    "Today's code makes the same networks, byte for byte: size and accuracy are its own. "
    "Speed and memory are of the day.\n"
)
#: What each level of fidelity means, as the pages say it.
FIDELITY = {
    "host": "measured on the machine named",
    "emulated": "counted in an emulator: exact counts, no times",
    "structural": "read off the file, not run",
    "device": "measured on the device itself",
    "estimated": "estimated",
}


def hosted(rows: Sequence[Row]) -> str:
    """Bundles of one model that a machine ran."""
    body = [[row.target, f"{row.runtime} {row.precision}", *figures_of(row), row.fidelity] for row in rows]
    return compact(["made for", "recipe", "bundle", "accuracy", "speed", "peak RAM", "fidelity"], body)


def figures_of(row: Row) -> list[str]:
    """Bytes of the bundle, accuracy, speed (the whole way, or tokens a second), peak RAM."""
    speed = _figure(row, "end_to_end.latency") or _figure(row, "tg128")
    return [figure(row.size, "B"), *(text or NOT_MEASURED for text in (accuracy(row), speed, _figure(row, "rss.peak")))]


def chips(rows: Sequence[Row]) -> str:
    """Firmware of one model that an emulator ran."""
    body = []
    for row in rows:
        flash = _figure(row, "footprint_sound.flash") or _figure(row, "footprint.flash")
        ram = _figure(row, "footprint_sound.ram") or _figure(row, "footprint.ram")
        figures = (accuracy(row), _figure(row, "network.instructions"), flash, ram)
        body.append([row.target, *(text or NOT_MEASURED for text in figures), row.fidelity])
    return compact(["target", "accuracy", "an inference", "flash", "RAM", "fidelity"], body)


def compact(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; a column in which nothing was measured becomes a word below it."""
    if not body:
        return ""
    empty = [at for at in range(len(columns)) if all(row[at] == NOT_MEASURED for row in body)]
    kept = [at for at in range(len(columns)) if at not in empty]
    text = table([columns[at] for at in kept], [[row[at] for at in kept] for row in body])
    return text + (f"\nNot measured: {', '.join(columns[at] for at in empty)}.\n" if empty else "")


def accuracy(row: Row) -> str:
    """The metric with fp32's and the verdict of the gate; "" where no labelled samples were judged."""
    gate = row.gate
    if gate.get("value") is None:
        return ""
    metric = METRICS[gate["metric"]]
    text = f"{metric.name} {format_value(metric, gate['value'])}"
    if gate.get("reference") is not None:
        text += f" (fp32: {format_value(metric, gate['reference'])})"
    return f"{text}, {gate.get('verdict', NOT_MEASURED)}"


def _figure(row: Row, name: str) -> str:
    entry = row.figures.get(name)
    return figure(entry["median"], entry["unit"]) if entry else ""


def legend(rows: Sequence[Row]) -> str:
    """What the levels of fidelity in the rows mean, and the machines."""
    lines = [f"- {level}: {FIDELITY[level]}." for level in FIDELITY if any(row.fidelity == level for row in rows)]
    hosts = sorted({row.host for row in rows if row.fidelity == "host" and row.host})
    if hosts:
        lines.append(
            f"- Machine: {'; '.join(hosts)}, one thread. Speed is the median time from the input's file to the answer "
            "(of a language model: tokens generated a second)."
        )
    if {row.target for row in rows if row.fidelity == "host"} & {"android", "ios"}:
        lines.append("- A bundle made for a phone was measured on that machine. On a phone: not measured.")
    return "\n".join(lines) + "\n"
