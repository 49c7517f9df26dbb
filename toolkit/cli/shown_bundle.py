"""What `export` prints about a bundle, as text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from edgekit.bench import metrics
from edgekit.bundles import places
from edgekit.bundles.facts import CallTime, call_time
from edgekit.bundles.manifest import Agreement, Manifest, Verdict
from edgekit.cli.terminal import say, show_table
from edgekit.common.figures import NOT_MEASURED
from edgekit.core import Bundle, Facts, Recipe, fact_of
from edgekit.registry import find, names


def summary(bundle: Bundle) -> Facts:
    import msgspec

    from edgekit.gate import frontier

    manifest = bundle.manifest
    placed = [part for part in manifest.parts if places.placement_of(part.census)]
    return {
        "model": manifest.model.name,
        "target": manifest.target.name,
        "recipe": msgspec.to_builtins(manifest.recipe),
        "size": sum(file.size for file in manifest.files.values()),
        "parity": {part.name: part.parity for part in manifest.parts},
        "placement": {part.name: part.census["placement"] for part in placed},
        "evidence": msgspec.to_builtins(manifest.evidence),
        "gate": msgspec.to_builtins(manifest.gate),
        "attempts": msgspec.to_builtins(manifest.attempts),
        "golden": manifest.golden.output,
        "note": _note(manifest),
        **({} if (saved := frontier.load(bundle.path)) is None else {"frontier": msgspec.to_builtins(saved[1])}),
    }


def _note(manifest: Manifest) -> str:
    """What the declaration of the model says of its own weights; "" if these are the user's."""
    own = manifest.source.pinned and manifest.model.name in names("models")
    return str(find("models", manifest.model.name).identity.note) if own else ""


def show_bundle(bundle: Bundle) -> None:
    from edgekit.common.figures import figure
    from edgekit.gate import frontier

    manifest = bundle.manifest
    size = sum(file.size for file in manifest.files.values())
    done = "reused: same sources, recipe and versions" if bundle.reused else "written"
    say(f"{bundle.path} {done}: {figure(size, 'B')}, {manifest.recipe.precision}", "bold")
    if note := _note(manifest):
        say(f"{manifest.model.name}: {note}", "yellow")
    rows = [[part.name, _weights(part.census), _forms(part.census), away(part.parity)] for part in manifest.parts]
    show_table("", ["part", "weights", "products", "away from fp32"], rows)
    for part in manifest.parts:
        if "arena" in part.census:
            say(_memory(part.name, part.census))
    show_placements(manifest)
    for attempt in manifest.attempts[:-1]:
        tried = attempt.recipe
        say(f"{Recipe(tried.runtime or tried.exporter, tried.precision, tried.options)} {attempt.outcome}", "yellow")
    for part in manifest.parts:
        if (time := call_time(part.census)) is not None:
            _show_speed(part.name, manifest.recipe.precision, time)
    if (saved := frontier.load(bundle.path)) is not None:
        show_table("frontier (also in frontier.svg)", list(frontier.COLUMNS), frontier.rows(saved[1], saved[0]))
    if manifest.evidence is not None:
        show_agreement(manifest.evidence.agreement)
    say(f"accuracy: {manifest.gate.verdict_text} ({manifest.gate.reason})")
    for line in others(manifest.gate):
        say(line)
    if "operating_point" in manifest.facts:
        point = manifest.facts["operating_point"]
        say("operating point: " + format_facts({name.replace("_", " "): value for name, value in point.items()}))
    say(f"golden input says: {manifest.golden.output}")
    say(f"next: {next_commands(bundle)}")


def next_commands(bundle: Bundle) -> str:
    """Two commands that work on a bundle, as a shell takes them."""
    task, place = bundle.manifest.model.task, shlex.quote(str(bundle.path))
    sample = '"TEXT"' if task in names("tasks") and find("tasks", task).sample == "text" else "FILE"
    # What this machine computes by other means than the target's, it proves and does not time.
    from edgekit.bundles.opened import makers

    verb = "verify" if makers(bundle).runtime.untimed else "bench"
    return f"edgekit run {place} {sample}, or edgekit {verb} {place}"


def show_outline(outline: Mapping[str, Any]) -> None:
    """Print what an export would do."""
    from edgekit.common.figures import figure

    say(f"{outline['model']} for {outline['target']}, task {outline['task']}; nothing is fetched or written", "bold")
    then = "a search tries" if outline["search"] else "if it is refused"
    for i, recipe in enumerate(outline["recipes"]):
        say(f"{'recipe' if not i and not outline['search'] else then}: {Recipe(**recipe)}")
    say(f"parts: {', '.join(outline['parts'])}")
    for name in ("weights", "calibration", "evidence", "data", "out"):
        say(f"{name}: {outline[name]}")
    say(f"estimates: {figure(outline['size'], 'B')} to download, {figure(outline['ram'], 'B')} of RAM")


def show_agreement(agreement: Agreement) -> None:
    """Print how many answers are the fp32 reference's, with the bound that follows, and further figures."""
    say(f"agreement with fp32: {agreement.verdict} ({agreement.reason})")
    for name, value in agreement.figures.items():
        say(f"  {name}: {value:.4f}")


def show_placements(manifest: Manifest) -> None:
    """Print where parts run, whether they are right there and by whose word, and what that is worth."""

    for part in manifest.parts:
        for placement in places.placements_of(part.census):
            for at, line in enumerate(places.describe(part.name, placement)):
                say(f"  {line}" if at else line, "yellow" if placement.verdict == "leave it off" else "")
            for warning in places.warnings(placement):
                say(f"  {warning}", "yellow")


def _show_speed(part: str, precision: str, time: CallTime) -> None:
    """Print the time of a call beside fp32 on this machine, in red if quantization made it slower."""
    if time.missing:
        say(f"{part}: {precision} beside fp32 on this machine: not measured: {time.missing}")
        return
    took = f"{time.this * 1e3:.3g} ms a call, {time.ratio:.2f} times fp32 ({time.low:.2f} to {time.high:.2f})"
    if time.slower:
        say(f"{part}: {precision} IS SLOWER than fp32 on this machine: {took}, 1 thread", "bold red")
    else:
        say(f"{part}: {took}, 1 thread, this machine")


def others(gate: Verdict) -> list[str]:
    """Lines for the metrics that decide nothing. A language model's other figures are in the gate's reason."""
    lines = []
    for name, score in gate.others.items():
        if name in metrics.METRICS:
            value, base = (
                metrics.format_value(metrics.METRICS[name], number) for number in (score.value, score.reference)
            )
            lines.append(f"  {name}: {value} (fp32: {base})")
    return lines


def _memory(name: str, census: Facts) -> str:
    """RAM, weights and work of generated C, as its exporter planned them."""
    from edgekit.common.figures import figure

    ram, weights, macs = (fact_of(census, fact, int) for fact in ("arena", "weights", "macs"))
    planned = f"{figure(ram, 'B')} of RAM, {figure(weights, 'B')} of weights, {macs / 1e6:.3g} M multiply-adds"
    return f"{name}: {planned}; {census['exact']}"


def away(error: float | None) -> str:
    """A relative error in percent; as a power of ten where percents would read as zero; None: not measured."""
    if error is None:
        return NOT_MEASURED
    return f"{error:.2%}" if error >= 1e-4 else f"{error:.0e}" if error else "0"


def _weights(census: Facts) -> str:
    from edgekit.common.figures import figure

    held = fact_of(census, "bytes", dict[str, int], {})
    shown = {name: size for name, size in held.items() if size >= min(1e5, max(held.values()) / 10)}
    return ", ".join(f"{name} {figure(size, 'B')}" for name, size in shown.items()) or "none"


def _forms(census: Facts) -> str:
    forms = [form for form in places.forms_of(census) if form != "float"]
    counted = [f"{forms.count(form)} {form}" for form in sorted(set(forms))]
    if census.get("weighted_float"):
        counted.append(f"{census['weighted_float']} float")
    return ", ".join(counted)


def show_device(facts: Mapping[str, Any]) -> None:
    """Print a device's results on the golden vectors: a table if there are results per part, else a line."""
    from edgekit.common.figures import figure

    if "parts" not in facts:
        say("on the device: " + format_facts(facts))
        return
    memory = f"; memory at most {figure(facts['memory_at_most'], 'B')}, an upper estimate"
    say(f"on {facts['device']} (fidelity: {facts['fidelity']}), {facts['runtime']}{memory}")
    rows = [
        [name, part["arithmetic"], processor, away(off["fp32"]), away(off["here"]), f"{off['steps']:.3g}"]
        for name, part in facts["parts"].items()
        for processor, off in part.items()
        if processor != "arithmetic"
    ]
    columns = ["part", "arithmetic", "processor", "away from fp32", "away from here", "in steps"]
    show_table("", columns, rows)
    for part in facts["parts"].values():
        for processor, off in part.items():
            if processor != "arithmetic" and "greedy" in off:
                say(f"{processor}: {_greedy(off['greedy'])}")


def _greedy(facts: Mapping[str, Any]) -> str:
    """Whether a language model chooses the same next tokens on the device as on this machine."""
    count, same = facts["positions"], facts["same"]
    if same == count:
        return f"the same next token as here at all {count} positions of the golden input"
    tie = f"the first at position {facts['first']}, none by more than {facts['margin']:.2g} logits"
    return f"the same next token as here at {same} of {count} positions; {count - same} others: {tie}"


def format_facts(value: Any) -> str:
    """Nested facts as a line of names and values, numbers rounded."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {format_facts(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return " and ".join(format_facts(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
