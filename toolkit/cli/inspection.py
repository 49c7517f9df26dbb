"""The verb `inspect`, and the options of a source."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from edgekit.cli.terminal import say, show_json, show_table, working
from edgekit.core import ImportOptions, Inspection, TensorSpec
from edgekit.registry import find


def import_options(arguments: argparse.Namespace) -> ImportOptions:
    """What the command line states about its source."""
    return ImportOptions(arguments.task, dict(arguments.dynamic), arguments.trust_code, offline=arguments.offline)


def inspect_(arguments: argparse.Namespace) -> None:
    from edgekit.importers.resolved import inspect

    with working() as progress:
        inspection = inspect(arguments.model, import_options(arguments), progress)
    if arguments.json:
        show_json(asdict(inspection))
    else:
        _show(inspection)


def _show(inspection: Inspection) -> None:
    from edgekit.common.figures import figure

    say(f"{inspection.source}: {inspection.architecture} ({inspection.kind})", "bold")
    say(f"task: {', '.join(inspection.tasks) or 'not known; choose one with --task'}")
    count = inspection.parameters
    say(f"parameters: {'not known' if count is None else figure(count, 'parameters')}")
    say(f"licence: {inspection.licence or 'not stated'}")
    show_table(
        "", ["", "name", "dtype", "shape"], [*_rows("input", inspection.inputs), *_rows("output", inspection.outputs)]
    )
    if inspection.operators:
        counted = sorted(inspection.operators.items(), key=lambda item: (-item[1], item[0]))
        say("operators: " + ", ".join(f"{count} {name}" for name, count in counted))
    else:
        say("operators: not known before the network is traced")
    for note in inspection.notes:
        say(note)
    tasks = inspection.tasks
    # What has no more meaning than its arrays is never chosen unasked.
    arrays = inspection.kind == "hub" and len(tasks) == 1 and find("tasks", tasks[0]).sample == "arrays"
    task = f" --task {tasks[0]}" if arrays else "" if len(tasks) == 1 else " --task TASK"
    source = shlex.quote(inspection.source)
    say(f"next: edgekit fit {source}{task}, or edgekit export {source}{task} --target android")


def _rows(side: str, specs: Sequence[TensorSpec]) -> list[list[str]]:
    return [[side, spec.name, spec.dtype, " x ".join(map(str, spec.shape)) or "scalar"] for spec in specs]
