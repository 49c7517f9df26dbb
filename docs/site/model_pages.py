"""A page for each model of the registry: what it is, what it needs, how to use it, what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import indent

from charts import tradeoff
from measured import ROOT, Row
from row_tables import OLDER, SAME, chips, hosted, legend
from text import docstring, fenced, linked, table

from edgekit import fit
from edgekit.bench.metrics.table import METRICS, format_value
from edgekit.common.figures import figure
from edgekit.core import Fit, Model, Source
from edgekit.estimation.recipes import takers
from edgekit.registry import find, names

__all__ = ["INPUTS", "overview", "page", "summary"]

#: Inputs for the command lines, by the kind of a task's sample.
INPUTS = {
    "sound": "clip.wav",
    "picture": "photo.jpg",
    "text": '"Why is the sky blue?"',
    "ids": "50,172",
    "arrays": "inputs.npz",
}
#: The tab of a target, and its place; the microcontrollers follow.
_TABS = {"laptop": "Laptop", "android": "Android", "ios": "iOS"}
_ORDER = {"laptop": 0, "android": 1, "ios": 2, "cortex-m4": 3}


def summary(name: str) -> str:
    """What a model is, in the words of its file; a language model at an address has none of its own."""
    stem = name.replace("-", "_")
    file = next(iter(sorted((ROOT / "models").rglob(f"{stem}.py"))), None)
    if file is not None:
        return docstring(file)
    model = find("models", name)
    return f"A language model with {figure(model.network.parameters, 'parameters')} parameters."


def page(name: str, rows: Sequence[Row]) -> str:
    """The Markdown of models/NAME.md. `rows`: what was measured of the model."""
    model = find("models", name)
    goals = {target: fit(model, target) for target in names("targets")}
    fitting = [answer for answer in goals.values() if answer.verdict == "fits"]
    sections = [
        f"# {name}\n",
        linked(summary(name), "../") + "\n",
        table(["", ""], _facts(model)),
        "## Use it\n",
        _commands(model, fitting),
        "## Where it runs\n",
        "What `edgekit fit` predicts before any download, with each target's default recipe. "
        "Sizes and memory are estimates. Speed depends on the machine: use `edgekit bench`.\n",
        table(["target", "recipe", "verdict", "bundle", "peak RAM"], [_fit(answer) for answer in goals.values()]),
        _reasons(goals.values()),
        "## Results\n",
        _results(rows),
        _mentions(name),
    ]
    return "\n".join(section for section in sections if section)


def overview(rows: Sequence[Row]) -> str:
    """The Markdown of models/index.md: every model, by task."""
    of_task: dict[str, list[str]] = {}
    for name in names("models"):
        of_task.setdefault(find("models", name).task.name, []).append(name)
    measured = {row.model for row in rows}
    lines = [
        "# Models\n",
        "These models have a name in edgekit. [Your own model](../any-model.md) needs none: "
        "give its address, folder or file.\n",
    ]
    for task, members in sorted(of_task.items()):
        lines += [f"## {task}\n", f"[The task {task}](../tasks/{task}.md)\n"]
        body = [[f"[{name}]({name}.md)", *_brief(name), "yes" if name in measured else "no"] for name in members]
        lines.append(table(["model", "parameters", "licence", "benchmarked"], body))
    return "\n".join(lines)


def _brief(name: str) -> tuple[str, str]:
    model = find("models", name)
    return figure(model.network.parameters, "parameters"), model.identity.licence


def _facts(model: Model) -> list[tuple[str, str]]:
    facts = [
        ("task", f"[{model.task.name}](../tasks/{model.task.name}.md)"),
        ("parameters", figure(model.network.parameters, "parameters")),
        ("licence of the weights", model.identity.licence),
        ("weights from", "<br>".join(_origin(source) for source in model.weights.sources) or f"`{model.weights.hub}`"),
        ("pinned by hash", "yes" if model.weights.sources else "no: the address may change"),
        ("graphs", ", ".join(part.name for part in model.network.parts)),
    ]
    if model.identity.note:
        facts.append(("note", model.identity.note))
    if model.identity.terms:
        facts.append(("terms of use", f"accept them with `--accept-terms {model.identity.terms}`"))
    if model.network.ready:
        facts.append(("exporters", ", ".join(sorted(takers(model)))))
    if bar := _bar(model):
        facts.append(("accuracy bar", bar))
    return facts


def _origin(source: Source) -> str:
    short = source.uri if len(source.uri) < 60 else f"{source.uri[:28]}…{source.uri[-28:]}"
    revision = source.revision[:12]
    return f"`{short}`" if revision in short else f"`{short}` {revision}"


def _bar(model: Model) -> str:
    evaluation = model.task.evaluation
    if evaluation is None:
        return ""
    if evaluation.metric not in METRICS:  # a language model: probabilities are compared, see language-models.md
        return f"a KL divergence of at most {evaluation.drop:g} nats per token from the reference"
    metric = METRICS[evaluation.metric]
    least = "at most" if metric.better == "lower" else "at least"
    bar = f"{metric.name} {least} {format_value(metric, evaluation.worst)}"
    return f"{bar}; a loss of at most {format_value(metric, evaluation.drop)} against fp32 (with `--data`)"


def _commands(model: Model, fitting: Sequence[Fit]) -> str:
    """Command lines in a tab for each kind of target; the microcontrollers share one."""
    tabs: dict[str, list[str]] = {}
    for answer in sorted(fitting, key=lambda answer: _ORDER.get(answer.target, 9)):
        title = _TABS.get(answer.target, "Microcontroller")
        if title not in tabs:
            tabs[title] = _session(model, answer)
    if not tabs:
        return "No target has room for it with default budgets.\n"
    blocks = [f'=== "{title}"\n\n' + indent(fenced("\n".join(lines), "sh"), "    ") for title, lines in tabs.items()]
    return "\n".join(blocks)


def _session(model: Model, answer: Fit) -> list[str]:
    assert answer.recipe is not None
    bundle = f"{model.name}-{answer.target}-{answer.recipe.precision}"
    terms = f" --accept-terms {model.identity.terms}" if model.identity.terms else ""
    lines = [f"edgekit export {model.name} --target {answer.target}{terms}", f"edgekit verify {bundle}"]
    if answer.target == "laptop":
        lines.append(f"edgekit run {bundle} {INPUTS[find('tasks', model.task.name).sample]}")
    if find("targets", answer.target).device:
        lines.append(f"edgekit bench {bundle}")
    return lines + [f"edgekit package {bundle} --as {form}" for form in sorted(find("targets", answer.target).forms)]


def _fit(answer: Fit) -> list[str]:
    if answer.recipe is None:
        return [answer.target, "-", answer.verdict, "-", "-"]
    recipe = f"{answer.recipe.runtime} {answer.recipe.precision}"
    return [answer.target, recipe, answer.verdict, figure(answer.size, "B"), figure(answer.ram, "B")]


def _reasons(answers: Iterable[Fit]) -> str:
    """Why targets are refused, each reason once."""
    targets: dict[str, list[str]] = {}
    for answer in answers:
        if answer.verdict != "fits":
            targets.setdefault(answer.reason, []).append(answer.target)
    return "\n".join(f"- {', '.join(where)}: {reason}" for reason, where in targets.items()) + "\n"


def _results(rows: Sequence[Row]) -> str:
    if not rows:
        return "Speed, memory and accuracy of this model were not measured by a benchmark that is kept as data.\n"
    parts = []
    for origin in dict.fromkeys(row.origin for row in rows):
        these = [row for row in rows if row.origin == origin]
        parts += [f"### {origin}\n", *(_age(these))]
        parts += [hosted([row for row in these if row.fidelity != "emulated"])]
        parts += [chips([row for row in these if row.fidelity == "emulated"]), legend(these)]
    return "\n".join(part for part in [tradeoff(rows), *parts] if part)


def _age(rows: Sequence[Row]) -> list[str]:
    """What to say of figures that are older than the code."""
    if all(row.current for row in rows):
        return []
    return [SAME if all(row.same for row in rows) else OLDER]


def _mentions(name: str) -> str:
    """Links to the pages of docs/ that name the model, with their titles."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    named = [page for page in pages if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page.read_text())]
    titles = [f"[{page.read_text().split(chr(10), 1)[0].lstrip('# ')}](../{page.name})" for page in named]
    return "## Read on\n\n" + "\n".join(f"- {title}" for title in titles) + "\n" if titles else ""
