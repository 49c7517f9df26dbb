"""The elements of a report's page: texts, badges, tables, figures.

Everything in a report is text from outside, so all of it passes through `text`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.core import Facts, Fidelity

#: What each fidelity means, for people.
MEANING: Mapping[Fidelity, str] = {
    "device": "measured on the device itself",
    "host": "measured on this kind of machine, which is the target unless a warning says otherwise",
    "emulated": "from an emulator: right answers and exact counts, no times",
    "estimated": "computed from a model, not measured",
    "structural": "only the files were looked at",
}

#: Width of every figure, in the units of its box. A figure is about as wide on a phone, and a little wider elsewhere.
WIDTH = 360.0

#: The most letters of a name that a figure shows; its table has them all.
_LETTERS = 60

#: Deeper values of a report are shown as JSON.
_DEPTH = 3


def text(value: Any) -> str:
    """Anything as text that is safe in an element and in a quoted attribute."""
    return html.escape(printable(value), quote=True)


def short(value: Any, letters: int = _LETTERS) -> str:
    """A text, shortened if it is too long. Not escaped."""
    whole = printable(value)
    return whole if len(whole) <= letters else whole[: letters - 1] + "…"


def number(value: Any) -> float | None:
    """A finite number of at least 0 out of JSON, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e300 else None


def format_value(value: Any, depth: int = 0) -> str:
    """A JSON value for people: numbers with four digits, lists and mappings without brackets. Not escaped."""
    if value is None or isinstance(value, str) or depth > _DEPTH:
        return printable(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(key)} {format_value(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, Sequence):
        return "; ".join(format_value(item, depth + 1) for item in value)
    return printable(value)


#: What synthetic inputs mean, for people.
NOISE = "measured on noise in the form of a real input; on real inputs times may differ"


def badge(fidelity: Fidelity, synthetic: bool = False) -> str:
    """A fidelity and synthetic inputs as labels; their borders differ, too, for people who do not see colours."""
    noise = f' <span class="badge synthetic" title="{NOISE}">synthetic inputs</span>' if synthetic else ""
    return f'<span class="badge {fidelity}" title="{text(MEANING[fidelity])}">{fidelity}</span>{noise}'


def facts(items: Facts) -> str:
    """A mapping as a list of terms."""
    if not items:
        return f'<p class="dim">{NOT_MEASURED}</p>'
    lines = "".join(f"<dt>{text(key)}</dt><dd>{text(_fact(key, value))}</dd>" for key, value in items.items())
    return f"<dl>{lines}</dl>"


def _fact(key: str, value: Any) -> str:
    size = number(value) if key in ("size", "memory") else None
    return format_value(value) if size is None else figure(size, "B")


class Page:
    """The ids of a page, and the elements that need ids."""

    def __init__(self) -> None:
        self._ids = count(1)

    def table(
        self,
        name: str,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        words: Sequence[int] = (),
        note: str = "",
        raw: Sequence[int] = (),
    ) -> str:
        """A table with a caption and a button that copies it; nothing without rows.

        Args:
            words: the columns (from 0) that hold sentences. note: under the caption.
            raw: the columns whose cells are HTML already.
        """
        grid = _grid(name, header, rows, words, raw, caption=note)
        return f'<div class="copied">{grid}<div class="tools">{_button(name)}</div></div>' if grid else ""

    def figure(
        self,
        name: str,
        svg: str,
        height: float,
        *,
        description: str,
        note: str,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        words: Sequence[int] = (),
    ) -> str:
        """A drawing with its title, its description, and its data as a table.

        Args:
            name: the title. svg: the content of a box of `WIDTH` x `height`, escaped already.
            description: the drawing in a sentence, for screen readers. note: a line under the title.
            header, rows, words: of the table, as in `table`.
        """
        at = next(self._ids)
        grid = _grid(name, header, rows, words, (), caption="")
        return (
            f'<figure class="copied"><figcaption>{text(name)}<small>{text(note)}</small></figcaption>'
            f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-labelledby="t{at} d{at}">'
            f'<title id="t{at}">{text(name)}</title><desc id="d{at}">{text(description)}</desc>{svg}</svg>'
            f'<details><summary>As a table<span class="hush">: {text(name)}</span></summary>{grid}</details>'
            f'<div class="tools">{_button(name)}</div></figure>'
        )


def _button(name: str) -> str:
    """A copy button, which the script shows."""
    return f'<button type="button" class="copy" hidden>Copy as a table<span class="hush">: {text(name)}</span></button>'


def _grid(
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: Sequence[int],
    raw: Sequence[int],
    caption: str,
) -> str:
    kinds = [' class="long"' if at in words else "" for at in range(len(header))]
    lines = []
    for cells in rows:
        inner = [cell if at in raw else text(cell) for at, cell in enumerate(cells)]
        rest = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], inner[1:], strict=True))
        lines.append(f'<tr><th scope="row">{inner[0]}</th>{rest}</tr>')
    if not lines:
        return ""
    head = "".join(
        f'<th scope="col"{" class=t" if at in words else ""}>{text(title)}</th>' for at, title in enumerate(header)
    )
    small = f"<small>{text(caption)}</small>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(name)}"><table>'
        f"<caption>{text(name)}{small}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
