"""The process in which a worker tries the recipes of a search.

The request comes first on standard input, then a recipe a line; an answer is a line of JSON on standard output. The
process ends with its input, or when it has waited too long for a recipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from edgekit.errors import BadInput, EdgekitError, FetchFailed, boundary
from edgekit.gate.frontier import Point
from edgekit.pipeline.adapting import weights_with_adapter
from edgekit.pipeline.job import Asked, Run
from edgekit.pipeline.resolving import job_of, read, weights_of
from edgekit.pipeline.search.limits import Limits
from edgekit.pipeline.search.messages import Begin, Outcome, Wish, plain
from edgekit.pipeline.search.trials import key_of_trials, measure_recipe
from edgekit.pipeline.tracing import trace
from edgekit.pipeline.writing import prepare_run, shared_files

#: Seconds without a recipe after which it ends: the search is over, or whoever searched has died.
_IDLE = 900.0


def main() -> None:
    """Answer every recipe of standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    begin = msgspec.convert(json.loads(sys.stdin.readline()), Begin)
    wishes: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(wishes, Path(begin.folder)), daemon=True).start()
    with contextlib.ExitStack() as stack:
        trial = _trial(begin, stack)
        while True:
            try:
                name = wishes.get(timeout=_IDLE)
            except queue.Empty:
                return
            answers.write(json.dumps(plain(_answer(trial, name))) + "\n")
            answers.flush()


def _listen(wishes: queue.Queue[str], folder: Path) -> None:
    """Pass the recipes on. The input ends with the worker, and so does this process, whatever it does."""
    for line in sys.stdin:
        wishes.put(msgspec.json.decode(line, type=Wish).recipe)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # and what an exporter has started


def _answer(trial: Callable[[str], Point], name: str) -> Outcome:
    try:
        with boundary():
            return Outcome(trial(name))
    except EdgekitError as exc:
        return Outcome(message=exc.message, hint=exc.hint)


def _trial(begin: Begin, stack: contextlib.ExitStack) -> Callable[[str], Point]:
    """Recipe -> its point; or, where this machine can do no trial, a function that raises why."""
    try:
        with boundary():
            return _prepare_trials(begin, stack)
    except EdgekitError as exc:
        reason = exc

        def refuse(_name: str) -> Point:
            raise reason

        return refuse


def _prepare_trials(begin: Begin, stack: contextlib.ExitStack) -> Callable[[str], Point]:
    """Make all that the trials share.

    Raises:
        BadInput: this machine resolves another job than the one that searches. FetchFailed: it cannot get the samples.
        Others: as `edgekit.export`.
    """
    asked, folder = _decode_request(begin), Path(begin.folder)
    job = job_of(asked)
    _check_tools(job.tools(), begin.tools)
    weights, source = weights_of(job, asked.weights, asked.tell)
    weights, adapter = stack.enter_context(weights_with_adapter(weights, asked.adapter, folder / "merged", asked.tell))
    job, checkpoint = read(replace(job, adapter=adapter), weights, asked.tell)
    for name in ("stage", "work"):
        (folder / name).mkdir()
    run = Run(job, checkpoint, source, "", folder / "stage", folder / "work", folder / "bundle", asked.tell)
    if key_of_trials(run) != begin.key:
        raise BadInput(
            "its files or its code are not those of the machine that searches.",
            hint="Install the same edgekit and the same packages there.",
        )
    run = prepare_run(run)
    reference = trace(run)
    if len(reference.samples.judged) != begin.judged:
        why = reference.samples.absent or "its samples are others"
        raise FetchFailed(f"{why}.", hint="Give it a network, or the pinned files: EDGEKIT_MIRROR")
    shared_files(run, reference)
    recipes = job.recipes_to_try(begin.size, hurried=begin.hurried)
    return lambda name: measure_recipe(run, reference, name, recipes[name])


def _decode_request(begin: Begin) -> Asked:
    """The request of a search; tuples came as lists."""
    request = begin.request
    dynamic = {axis: (least, most) for axis, (least, most) in (request["dynamic"] or {}).items()}
    return Asked(**{**request, "dynamic": dynamic, "limits": Limits()})


def _check_tools(here: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Raise BadInput where packages that decide an export have other versions."""
    names = sorted({name for name in {*here, *there} if here.get(name) != there.get(name)})
    if names:
        told = ", ".join(f"{name} {here.get(name, 'is absent')} for {there.get(name, 'none')}" for name in names)
        wanted = " ".join(f"{name}=={there[name]}" for name in names if name in there)
        raise BadInput(f"its packages are of other versions: {told}.", hint=f"Install there: pip install {wanted}")


if __name__ == "__main__":
    main()
