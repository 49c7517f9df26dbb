"""The questions of a model: its bundles of today, exported as anybody does, and what they answer on this machine.

    python questions.py MODEL FORM...    into build/judges; a JSON line for each form: its name and the folders of its
                                         questions, or the reason why there are none

Calls are those that a bundle's golden input makes: a real photo, clip or sentence, never noise.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import programs
from asked import write

import edgekit
from edgekit.bundles.opened import load
from edgekit.common import packed
from edgekit.core import Runner
from edgekit.errors import EdgekitError
from edgekit.estimation.recipes import recipe_for
from edgekit.numerics.parity import FLOATS, Recorder
from edgekit.registry import find

BUILD = Path("build/judges")
#: Form -> target, and how its bundle is exported where not by default. fp32 is first: others are compared with it.
FORMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "laptop-fp32": ("laptop", {"precision": "fp32", "evidence": False}),
    "laptop": ("laptop", {}),
    "cortex-m55": ("cortex-m55", {}),
    "android-litert": ("android", {"runtime": "litert", "evidence": False}),
    "android-executorch": ("android", {"runtime": "executorch", "evidence": False}),
    **dict.fromkeys(programs.FORMS, ("ios", {})),
}
#: Whose evidence takes ten minutes to answer: calibrated on the golden clip alone.
SLOW = ("whisper-base", "whisper-tiny-en")


def options_of(model: str, form: str) -> tuple[str, dict[str, Any]]:
    """The target and the options of its export. Without evidence, where it would judge alone and change no byte."""
    target, options = FORMS[form]
    spared = model in SLOW
    with contextlib.suppress(EdgekitError):  # a target that has no such task says so when it is asked for the export
        spared = spared or recipe_for(find("models", model), find("targets", target)).precision in FLOATS
    return target, {**options, **({"evidence": False} if spared else {})}


def make(model: str, form: str) -> dict[str, Any]:
    """Export a form and write the questions of its parts. The default form is named by its precision: laptop-int8."""
    if form in programs.FORMS:
        return programs.make(model, form, BUILD / "questions" / model)
    target, options = options_of(model, form)
    bundle = edgekit.export(model, target, out=BUILD / "bundles" / f"{model}-{form}", **options)
    recorders, predictor = opened(bundle.path)
    predictor.probe(str(bundle.path / bundle.manifest.golden.input))
    floats = BUILD / "bundles" / f"{model}-laptop-fp32"
    references: Mapping[str, Runner] = opened(floats)[0] if floats.is_dir() else {}
    recipe, folders = bundle.manifest.recipe, []
    name = f"{form}-{recipe.precision}" if form == "laptop" else form
    for part in bundle.manifest.parts:
        file, folder = bundle.path / part.file, BUILD / "questions" / model / name / part.name
        if file.suffix == ".c":
            file = file.with_suffix(".tflite")  # what the C was made of; a frontend has none, and nobody else reads it
        sides = calls(recorders[part.name], references.get(part.name))
        if not sides["in"] or not file.exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if file.suffix == packed.SUFFIX:
            file = packed.unpack(file, folder / packed.plain_name(file.name))
        facts: dict[str, Any] = {"file": str(file.resolve()), "stateful": recorders[part.name].stateful}
        facts |= {"exporter": recipe.exporter, "precision": recipe.precision}
        facts |= {"inputs": msgspec.to_builtins(part.inputs), "outputs": msgspec.to_builtins(part.outputs)}
        folders.append(write(folder, facts, sides))
    return {"form": name, "folders": folders}


def opened(bundle: Path) -> tuple[dict[str, Recorder], Any]:
    """Part -> edgekit's own runtime with one thread, which remembers some calls; and what calls them."""
    recorders: dict[str, Recorder] = {}

    def wrap(name: str, runner: Runner) -> Recorder:
        """Two to four calls, evenly spaced; of a part with state the first ones."""
        recorders[name] = Recorder(runner, 16 if runner.stateful else 2, evenly=not runner.stateful)
        return recorders[name]

    return recorders, load(bundle, 1, wrap, hashes=False)


def calls(recorder: Recorder, floats: Runner | None) -> dict[str, Any]:
    """Those of a part, with what the float part gives for them, unless it takes other inputs."""
    sides: dict[str, Any] = {"in": [feeds for feeds, _ in recorder.calls], "out": [made for _, made in recorder.calls]}
    with contextlib.suppress(EdgekitError):
        sides |= {"fp32": [floats(feeds) for feeds in sides["in"]]} if floats else {}
    return sides


if __name__ == "__main__":
    for form in sys.argv[2:]:
        begin = time.process_time()
        try:
            made = make(sys.argv[1], form)
        except Exception as exc:  # another form may work
            made = {"reason": getattr(exc, "message", f"the export failed: {type(exc).__name__}: {exc}"[:200])}
        print("\n" + json.dumps(made | {"processor_seconds": round(time.process_time() - begin, 1)}), flush=True)
