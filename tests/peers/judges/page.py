"""The page of the judges: a row a model, a column a judge, a cell the worst part of each form, or a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asked import decibels
from frame import HERE, Judge, name_of

from edgekit.numerics.parity import limit_of

MODELS = (
    *("whisper-base", "whisper-tiny-en", "efficientnet-lite0", "mobilenet-v1-025-vww", "ds-cnn-kws", "okay-nabu"),
    *("openwakeword-hey-jarvis", "silero-vad", "ecapa-tdnn", "ge2e-speaker", "all-minilm-l6-v2", "blazeface"),
    *("selfie-segmentation", "pose-landmarks", "hand-landmarks", "pp-ocr-v4", "basic-pitch", "fracast", "piper-joe"),
    *("proteinmpnn", "half-cheetah-policy", "vit-fashion", "two-tower-movielens", "ddpm-fashion"),
)


def write(table: Mapping[str, Any], judges: Sequence[Judge], models: Sequence[str] = MODELS) -> str:
    notes: list[str] = []
    rows = [[model, *(_cell(table, judge, model, notes) for judge in judges)] for model in models]
    table_rows = [["model", *(judge.title for judge in judges)], ["---"] * (len(judges) + 1), *rows]
    listed = []
    for judge in judges:
        said = {answer.get("version") or "" for answer in table["answers"].get(judge.name, {}).values()} - {""}
        listed.append(f"- **{judge.title}**: {judge.what.replace('{version}', ', '.join(sorted(said)) or '(absent)')}.")
    text = (HERE / "judges.md").read_text(encoding="utf-8")
    text = text.replace("{judges}", "\n".join(listed))
    text = text.replace("{wrong forms}", (HERE / "wrong_forms.md").read_text(encoding="utf-8").rstrip())
    text = text.replace("{table}", "\n".join(f"| {' | '.join(row)} |" for row in table_rows))
    return text.replace("{notes}", "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1)))


def _cell(table: Mapping[str, Any], judge: Judge, model: str, notes: list[str]) -> str:
    """A line for every form that the judge takes, or why there is no such bundle."""
    made = table["made"].get(model, {})
    wanted = ("laptop" if form.startswith("laptop-") and form not in made else form for form in judge.forms)
    lines = {form: _note("not exported yet", notes) for form in wanted if form not in made}
    for form, found in made.items():
        name, cells = found.get("form", form), table["answers"].get(judge.name, {})
        if "reason" in found and any(one.startswith(form) for one in judge.forms):
            lines[name] = _note(found["reason"].replace(model, "the model"), notes)
        elif name in judge.forms:
            answers = [cells.get(name_of(Path(one)), {"reason": "not asked"}) for one in found["folders"]]
            lines[name] = _form(answers, notes)
    named = [f"{name.removeprefix('laptop-')}: {line}" for name, line in lines.items()]
    return "<br>".join(named if len(judge.forms) > 1 else lines.values()) or _note(
        "no bundle in a form that it takes", notes
    )


def _form(answers: Sequence[Mapping[str, Any]], notes: list[str]) -> str:
    """The worst part that answered, and how many did not and why."""
    away = [answer for answer in answers if not answer.get("reason") and answer.get("distance") is not None]
    shown = [answer["placed"] for answer in answers if not answer.get("reason") and answer.get("placed")]
    why = [answer["reason"] for answer in answers if answer.get("reason")]
    if away:
        shown.append(_shown(max(away, key=lambda answer: float(answer["distance"]))))
    if why:
        numbers = " ".join(_note(reason, notes) for reason in dict.fromkeys(why))
        shown.append(f"{len(why)} of {len(answers)} parts: {numbers}" if len(answers) > 1 else numbers)
    return "; ".join(shown) or "no part was called"


def _shown(answer: Mapping[str, Any]) -> str:
    """In bold what the precision of the file does not explain."""
    text = f"{round(decibels(answer['distance']) or 0)} dB" if answer["distance"] else "equal"
    text = text if answer["distance"] <= limit_of(answer.get("precision", "fp32")) else f"**{text}**"
    return f"{text} from fp32" if answer["against"] == "fp32" else text


def _note(reason: str, notes: list[str]) -> str:
    """The number of a reason, without the folders of the machine that it was said on."""
    reason = re.sub(r"(?<![\w.:/])/\S*/(?=[^/\s]+)", "", reason)
    if reason not in notes:
        notes.append(reason)
    return f"[{notes.index(reason) + 1}]"
