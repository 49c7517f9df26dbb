"""A page for each task of the registry: what a sample and an answer are, and how answers are judged."""

from __future__ import annotations

from measured import ROOT
from model_pages import INPUTS
from text import docstring, fenced, linked, table

from edgekit.common.figures import figure
from edgekit.core import Task
from edgekit.registry import find, names

__all__ = ["overview", "page"]


def page(name: str) -> str:
    """The Markdown of tasks/NAME.md."""
    task = find("tasks", name)
    sections = [f"# {name}\n", _purpose(name) + "\n", table(["", ""], _facts(task)), "## Models\n", _members(name)]
    sections += ["## Use it\n", fenced(_commands(task), "sh"), "## How answers are judged\n", _judged(task)]
    return "\n".join(section for section in sections if section)


def overview() -> str:
    """The Markdown of tasks/index.md."""
    rows = [[f"[{name}]({name}.md)", _purpose(name), find("tasks", name).metric or "none"] for name in names("tasks")]
    return (
        "# Tasks\n\nA task says what a sample is, what an answer is, and how answers are judged. "
        "A model names its task; an imported model gets it from its architecture or from `--task`.\n\n"
        + table(["task", "what it does", "metric"], rows)
    )


def _purpose(name: str) -> str:
    place = ROOT / "toolkit" / "tasks" / name.replace("-", "_")
    text = docstring(place / "__init__.py" if place.is_dir() else place.with_suffix(".py"))
    return linked(text, "../")


#: Kinds of samples that are not "a" something.
_KINDS = {"arrays": "arrays (`.npz`)", "ids": "ids of items (`50,172`)"}


def _facts(task: Task) -> list[tuple[str, str]]:
    return [
        ("a sample is", _KINDS.get(task.sample, f"a {task.sample}")),
        ("metric", task.metric or "none is defined; `--metric` takes your own"),
        ("data folder", "see [Data folders](../data.md)"),
        ("draws its answer", "yes: `edgekit run BUNDLE INPUT --show answer.png`" if task.show else "no"),
    ]


def _members(name: str) -> str:
    members = [model for model in names("models") if find("models", model).task.name == name]
    if not members:
        return "No model has a name. Give an address, a folder or a file: see [Your own model](../any-model.md).\n"
    rows = [
        [f"[{model}](../models/{model}.md)", figure(find("models", model).network.parameters, "parameters")]
        for model in members
    ]
    return table(["model", "parameters"], rows)


def _commands(task: Task) -> str:
    members = [model for model in names("models") if find("models", model).task.name == task.name]
    source = members[0] if members else "SOURCE"
    named = "" if members else f" --task {task.name}"
    run = f"edgekit run BUNDLE {INPUTS[task.sample]}"
    return "\n".join([f"edgekit export {source}{named}", run, "edgekit verify BUNDLE --data DIR"])


def _judged(task: Task) -> str:
    lines = []
    if task.agreement is not None:
        share = f"{task.agreement.bar:.0%}"
        lines.append(f"- *Agreement*: {task.agreement.what}, for at least {share} of the samples.")
        lines += [f"- Also: {what} of at least {least:g}." for what, least in task.agreement.bars.items()]
    if task.judge == "probabilities":
        lines.append("- *Agreement*: the KL divergence of each token's probabilities from the reference's.")
    if task.evidence is not None:
        lines.append(f"- *Evidence*: {task.evidence.origin}. Licence: {task.evidence.licence}.")
    else:
        lines.append("- *Evidence*: none ships with edgekit. A model brings its own, or you give `--calibration`.")
    lines.append("- *Accuracy* needs your labelled samples: `--data DIR`.")
    return "\n".join(lines) + "\n"
