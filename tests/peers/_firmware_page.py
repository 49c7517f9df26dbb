"""The firmware comparison as tables: for a terminal, and as a Markdown page. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from _firmware_figures import QUOTED, QUOTED_FLASH, QUOTED_RAM, Bar, Keywords, Program, Subject
from rich.console import Console
from rich.table import Table as RichTable

PATHS = {"portable": "bakenn portable", "optimized": "bakenn optimized", "cmsis-nn": "bakenn + CMSIS-NN 4.0"}

_METHOD = """\
- Instructions are exact counts of one whole inference in QEMU. Every run gives the same, so there are no intervals.
  They are no cycles, and say nothing about milliseconds. The count of a softmax depends on its input, so the most
  of {repeats} inputs is shown.
- Every program has the same startup, clock and flags around it (`targets/microcontroller/project`, GCC). edgekit is
  built with the firmware's own flags. bakenn is built with -Os, -O2 and -O3; the build with the fewest instructions
  is shown, named where it is not -O2.
- edgekit runs the .tflite as it is, softmax included, without the channels that no input can change. In VWW that is
  half of the multiply-adds; the others have none.
- bakenn reads neither the softmax, nor the batch of -1, nor a RESHAPE without options. It gets a copy without them,
  and does less: edgekit's softmax is counted, bakenn has none.
- *bakenn portable* is its default. *Optimized* are the kernels that its documentation lets you opt into (with the
  DSP extension on M4, M7 and M55). *+ CMSIS-NN* is the version 4.0 that its wheel ships. It has no Helium target,
  so on the M55 its code for the M4 is compiled for the M55, where CMSIS-NN takes its Helium path. The ratios are
  against the fewest instructions of these.
- **Quoted** figures of TensorFlow Lite Micro with CMSIS-NN 7 are from a single measurement elsewhere, not from this
  run.
- Flash is code and constants of the smallest program that runs the network. RAM is its variables, the arena with
  input and output included; stack is the deepest below main. Best bakenn is the build with the fewest instructions;
  the flash of its smallest build is beside it. KB are 1,000 bytes."""


@dataclass(frozen=True)
class Table:
    """A title, a heading for each column, and rows of text."""

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(subjects: Sequence[Subject], demands: Sequence[Bar], processors: Sequence[str]) -> list[Table]:
    """Everything that is tabulated."""
    pairs = [(processor, subject) for processor in processors for subject in subjects]
    return [
        Table("The bars", ("demand", "at most", "measured", ""), [_bar(bar) for bar in demands]),
        Table(
            "Instructions per inference, millions",
            ("processor", "model", "edgekit", *PATHS.values(), "edgekit / best bakenn", "TFLM + CMSIS-NN (quoted)",
             "edgekit / quoted"),
            [_instructions(*pair) for pair in pairs],
        ),
        Table(
            "Memory, KB",
            ("processor", "model", "edgekit flash", "code + constants", "RAM + stack", "best bakenn flash",
             "RAM + stack", "smallest bakenn flash", "TFLM + CMSIS-NN flash / RAM (quoted)"),
            [_memory(*pair) for pair in pairs],
        ),
        Table(
            "Equal to TensorFlow Lite Micro, bit for bit",
            ("model", "random", "real", "mismatches on the host", *processors, "real inputs"),
            [_exactness(subject, processors) for subject in subjects],
        ),
    ]  # fmt: skip


def _bar(bar: Bar) -> list[str]:
    value = "not measured" if bar.value is None else f"{bar.value:.3f} {bar.unit}" if bar.unit else f"{bar.value:.0f}"
    most = f"{bar.most:.3f} {bar.unit}" if bar.unit else f"{bar.most:.0f}"
    return [bar.what, most, value, bar.verdict]


def _instructions(processor: str, subject: Subject) -> list[str]:
    ours, best = subject.ours.get(processor), subject.best_peer(processor)
    quoted = QUOTED.get(processor, {}).get(subject.name)
    row = [processor, subject.name, _millions(ours)]
    row += [_peer(subject, processor, path) for path in PATHS]
    row.append(f"{ours.instructions / best.instructions:.3f}" if ours and best else "")
    row += [f"{quoted:.3f}" if quoted else "", f"{ours.instructions / 1e6 / quoted:.3f}" if ours and quoted else ""]
    return row


def key(processor: str, path: str) -> str:
    """What `Subject.absent` calls a path of bakenn."""
    return f"{PATHS[path]} on {processor}"


def _millions(program: Program | None) -> str:
    return "not measured" if program is None else f"{program.instructions / 1e6:.3f}"


def _peer(subject: Subject, processor: str, path: str) -> str:
    found = subject.best_peer(processor, path)
    if found is None:
        absent = any(what.startswith(key(processor, path)) for what in subject.absent)
        wrong = "wrong results" if subject.peers.get(processor, {}).get(path) else ""
        return wrong or ("not measured" if absent else "")
    return f"{_millions(found)}{'' if found.flag == '-O2' else f' ({found.flag})'}{' *' if found.note else ''}"


def _memory(processor: str, subject: Subject) -> list[str]:
    ours, best = subject.ours.get(processor), subject.best_peer(processor)
    row = [processor, subject.name]
    if ours is None:
        row += ["not measured", "", ""]
    else:
        row += [f"{ours.flash / 1e3:.1f}", f"{ours.code / 1e3:.1f} + {ours.constants / 1e3:.1f}", _ram(ours)]
    smallest, name = subject.smallest_peer(processor), subject.name
    row += [f"{best.flash / 1e3:.1f}", _ram(best)] if best else ["", ""]
    row.append(f"{smallest.flash / 1e3:.1f}" if smallest else "")
    known = processor in QUOTED and name in QUOTED_FLASH
    return [*row, f"{QUOTED_FLASH[name] / 1e3:.0f} / {QUOTED_RAM[name] / 1e3:.1f}" if known else ""]


def _ram(program: Program) -> str:
    return f"{program.ram / 1e3:.1f} + {program.stack / 1e3:.1f}{' *' if program.note else ''}"


def _exactness(subject: Subject, processors: Sequence[str]) -> list[str]:
    host = ", ".join(f"{layout}: {wrong}" for layout, wrong in subject.host.items()) or "not measured"
    row = [subject.name, f"{subject.random:,}", f"{subject.real:,}", host]
    for processor in processors:
        ours = subject.ours.get(processor)
        row.append("not measured" if ours is None else "DIFFERS" if ours.fault else f"{ours.checked} equal")
    return [*row, subject.source]


def show(found: Sequence[Table], console: Console) -> None:
    """The tables in a terminal."""
    for one in found:
        table = RichTable(title=one.title, title_justify="left")
        for heading in one.heading:
            table.add_column(heading, overflow="fold")
        for row in one.rows:
            table.add_row(*row, style="red" if "missed" in row or "DIFFERS" in row else None)
        console.print(table)


def markdown(
    found: Sequence[Table], subjects: Sequence[Subject], keywords: Keywords | None, facts: Mapping[str, Any]
) -> str:
    """The page. `facts`: command, repeats, versions (what -> version)."""
    lines = ["# Firmware: figures from the emulator", "", "Made by", "", f"    {facts['command']}", ""]
    lines += [_METHOD.format(repeats=facts["repeats"])]
    for one in found:
        lines += ["", f"## {one.title}", "", _line(one.heading), "|" + "---|" * len(one.heading)]
        lines += [_line(row) for row in one.rows]
        if one.title.startswith("Equal"):
            lines += ["", *_keywords(keywords)]
    if remarks := notes(subjects):
        lines += ["", "## Notes", "", *(f"- {remark}" for remark in remarks)]
    lines += ["", "## Versions", ""]
    return "\n".join([*lines, *(f"- {what}: {version}" for what, version in facts["versions"].items())]) + "\n"


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in row)} |"


def _keywords(keywords: Keywords | None) -> list[str]:
    if keywords is None:
        return ["Accuracy on the keyword features: not measured."]
    same = f"gave other answers: {keywords.fault}" if keywords.fault else "gave the same bytes for every one of them"
    return [
        f"Keywords: on the {keywords.samples} features tflite-micro is right in {keywords.accuracy:.1%}; the emulated "
        f"Cortex-M4 {same}."
    ]


def notes(subjects: Sequence[Subject]) -> list[str]:
    """What is remarkable about single figures: each once."""
    found: dict[str, None] = {}
    for subject in subjects:
        if subject.computed < subject.macs:
            found[
                f"{subject.name}: edgekit computes {subject.computed / 1e6:.3f} of {subject.macs / 1e6:.3f} million "
                f"multiply-accumulates; the others are of channels that no input can change, and fold into biases."
            ] = None
        for what, why in subject.absent.items():
            found[f"{subject.name}, {what}: not measured: {why}"] = None
        for processor, paths in subject.peers.items():
            for path, program in ((path, one) for path, built in paths.items() for one in built):
                if program.note:
                    found[f"* {PATHS[path]} on {processor}: {program.note}"] = None
                if program.fault:
                    found[f"{subject.name}, {PATHS[path]} on {processor}, {program.flag}: {program.fault}"] = None
        for processor, program in subject.ours.items():
            if program.fault:
                found[f"{subject.name} on {processor}: {program.fault}"] = None
    return list(found)
