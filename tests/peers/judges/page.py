"""The page of the judges: a row a model, a column a judge, a cell the worst part of each form, or a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asked import decibels
from frame import HERE, Judge

from edgekit.numerics.parity import limit_of

_HEAD = (HERE / "head.md").read_text(encoding="utf-8")


def write(table: Mapping[str, Any], judges: Sequence[Judge], models: Sequence[str]) -> str:
    notes: list[str] = []
    rows = []
    for model in models:
        made = table["made"].get(model, {})
        cells = [_cell(table["answers"].get(judge.name, {}), judge, model, made, notes) for judge in judges]
        rows.append(f"| {model} | {' | '.join(cells)} |")
    listed = [
        f"- **{judge.name}**: {judge.what.replace('{version}', _versions(table, judge))}"
        for judge in judges
    ]
    lines = [
        _HEAD.rstrip(),
        "",
        *listed,
        "",
        "## The table",
        "",
        f"| model | {' | '.join(judge.name for judge in judges)} |",
        f"|---|{'---|' * len(judges)}",
        *rows,
        "",
        *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
        "",
    ]
    extra = HERE / "wrong_forms.md"
    return "\n".join(lines) + (f"\n{extra.read_text(encoding='utf-8')}" if extra.exists() else "")


def _versions(table: Mapping[str, Any], judge: Judge) -> str:
    said = {answer.get("version") for answer in table["answers"].get(judge.name, {}).values()} - {None, ""}
    return ", ".join(sorted(map(str, said))) or "(absent)"


def _cell(answers: Mapping[str, Any], judge: Judge, model: str, made: Mapping[str, Any], notes: list[str]) -> str:
    lines = []
    for form in judge.forms:
        base = "laptop" if form.startswith("laptop-") and form != "laptop-fp32" else form
        export = made.get(base, {"reason": "not exported yet"})
        if "reason" in export:
            if base == form or form == judge.forms[0]:
                lines.append(f"{form}: {_note(export['reason'], notes)}")
        elif export["form"] == form:
            found = {part: answers.get(f"{model}/{form}/{part}", {"reason": "not asked"}) for part in export["parts"]}
            lines.append(f"{form}: {_form(found, notes)}")
    return "<br>".join(lines) or "no such form"


def _form(parts: Mapping[str, Any], notes: list[str]) -> str:
    """The worst part that answered, and how many did not and why."""
    said = [answer for answer in parts.values() if not answer.get("reason")]
    why = list(dict.fromkeys(answer["reason"] for answer in parts.values() if answer.get("reason")))
    away = [answer for answer in said if answer.get("distance") is not None]
    shown = [str(answer["placed"]) for answer in said if answer.get("placed")]
    if away:
        worst = max(away, key=lambda answer: answer["distance"])
        shown.append(_shown(worst))
    if why:
        shown.append(f"{len(parts) - len(said)} of {len(parts)} parts: {' '.join(_note(one, notes) for one in why)}")
    return "; ".join(shown)


def _shown(answer: Mapping[str, Any]) -> str:
    away = answer["distance"]
    text = "equal" if not away else f"{decibels(away):.0f} dB"
    return f"{text} from fp32" if answer["against"] == "fp32" else text


def _note(reason: str, notes: list[str]) -> str:
    if reason not in notes:
        notes.append(reason)
    return f"[{notes.index(reason) + 1}]"
