"""The page of figures: what each bundle for a laptop costs and what it answers, fp32 beside smaller forms."""

from __future__ import annotations

from collections.abc import Sequence

from measured import Row, commands
from row_tables import SAME, compact, figures_of, legend
from text import fenced

__all__ = ["page"]

_INTRODUCTION = """# Models on a laptop

Each bundle was measured alone on a machine with nothing else to do, on one thread. The bundle is the whole folder:
networks, frontend, labels and the golden input. Speed is from the input's file to the answer; of a language model it is
tokens a second. More in [laptops and phones](matrix.html) and [microcontrollers](matrix-firmware.html).
"""
_FOLDERS = """For efficientnet-lite0 every fifth photo of `imagenet-sample` calibrates, and the others are judged.
ds-cnn-kws has `mlperf-tiny-kws` for both. The two speaker models have LibriSpeech's train-clean and test-other.
[Data folders](data.md) says how such a folder looks.
"""
#: Marks figures whose code has changed, and those of them whose networks are the same.
_MARK, _SAME = " *", " †"


def page(rows: Sequence[Row]) -> str:
    """The Markdown of figures.md. `rows`: everything that was measured."""
    laptop = [row for row in rows if row.target == "laptop" and row.date]
    ordered = sorted(laptop, key=lambda row: (row.model, row.runtime, -(row.size or 0)))
    columns = ["model", "recipe", "bundle", "accuracy", "speed", "peak RAM", "measured on"]
    sections = [_INTRODUCTION, compact(columns, [_line(row) for row in ordered])]
    if any(row.same and not row.current for row in ordered):
        sections.append(f"† {SAME}")
    if any(not row.same for row in ordered):
        sections.append("\\* The code of the model or of its runtime has changed since: today's bundle may differ.\n")
    sections += [legend(ordered), "## The commands\n", _FOLDERS, *_commands(ordered)]
    return "\n".join(sections)


def _line(row: Row) -> list[str]:
    mark = "" if row.current else _SAME if row.same else _MARK
    name = f"[{row.model}](models/{row.model}.md)"
    return [name, f"{row.runtime} {row.precision}", *figures_of(row), f"{row.date}{mark}"]


def _commands(rows: Sequence[Row]) -> list[str]:
    dates = {row.date for row in rows}
    return [f"{date}:\n\n" + fenced(command, "sh") for date, command in commands() if date in dates]
