"""The questions of a model: its bundles of today, exported as anybody does, and what they answer on this machine.

    python questions.py MODEL FORM       into build/judges; prints a JSON line: what was made, or why there is nothing

Calls are those that a bundle's golden input makes: a real photo, clip or sentence, never noise.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import programs

import edgekit
from edgekit.bundles.opened import load
from edgekit.common import packed
from edgekit.core import Runner
from edgekit.errors import EdgekitError
from edgekit.numerics.parity import Recorder

BUILD = Path("build/judges")
#: Form -> target, and how its bundle is exported where not by default. fp32 is first: others are compared with it.
FORMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "laptop-fp32": ("laptop", {"precision": "fp32", "evidence": False}),
    "laptop": ("laptop", {}),
    "ios": ("ios", {"evidence": False}),
    "cortex-m55": ("cortex-m55", {}),
    "android-litert": ("android", {"exporter": "litert", "evidence": False}),
    "android-executorch": ("android", {"exporter": "executorch", "evidence": False}),
    **dict.fromkeys(programs.FORMS, ("ios", {})),
}
#: Whose evidence takes ten minutes to answer: calibrated on the golden clip alone.
SLOW = ("whisper-base", "whisper-tiny-en")


def options_of(model: str, form: str) -> tuple[str, dict[str, Any]]:
    """The target and the options of its export."""
    target, options = FORMS[form]
    return target, {**options, **({"evidence": False} if model in SLOW else {})}


def make(model: str, form: str) -> dict[str, Any]:
    """Export a form and write the questions of its parts; ``{"form": its name, "folders": theirs}`` or ``{"reason": why
    there is none}``. The default form gets its precision into its name: laptop-int8."""
    target, options = options_of(model, form)
    try:
        if form in programs.FORMS:
            return programs.make(model, form, BUILD / "questions" / model)
        bundle = edgekit.export(model, target, out=BUILD / "bundles" / f"{model}-{form}", **options)
        recorders, predictor = opened(bundle.path)
        predictor.probe(str(bundle.path / bundle.manifest.golden.input))
    except EdgekitError as exc:
        return {"reason": exc.message}
    floats = BUILD / "bundles" / f"{model}-laptop-fp32"
    references: Mapping[str, Runner] = opened(floats)[0] if floats.is_dir() else {}
    recipe, folders = bundle.manifest.recipe, []
    name = f"{form}-{recipe.precision}" if form == "laptop" else form
    for part in bundle.manifest.parts:
        file, folder = bundle.path / part.file, BUILD / "questions" / model / name / part.name
        if file.suffix == ".c":
            file = file.with_suffix(".tflite")  # what the C was made of; a frontend has none, and nobody else reads it
        arrays = calls(recorders[part.name], references.get(part.name))
        if not arrays or not file.exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        np.savez(folder / "calls.npz", allow_pickle=False, **arrays)
        if file.suffix == packed.SUFFIX:
            file = packed.unpack(file, folder / packed.plain_name(file.name))
        facts: dict[str, Any] = {"model": model, "form": name, "part": part.name}
        facts |= {"file": str(file.resolve()), "sha256": digest(file)}
        facts |= {"calls": digest(folder / "calls.npz"), "stateful": recorders[part.name].stateful}
        facts |= {"exporter": recipe.exporter, "precision": recipe.precision}
        facts |= {"inputs": msgspec.to_builtins(part.inputs), "outputs": msgspec.to_builtins(part.outputs)}
        (folder / "question.json").write_text(json.dumps(facts, indent=1))
        folders.append(str(folder))
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
    arrays: dict[str, Any] = {}
    for i, (feeds, outputs) in enumerate(recorder.calls):
        sides = {"in": feeds, "out": outputs}
        with contextlib.suppress(EdgekitError):
            sides |= {"fp32": floats(feeds)} if floats else {}
        arrays |= {f"{side}/{i}/{name}": value for side, values in sides.items() for name, value in values.items()}
    return arrays


def digest(file: Path) -> str:
    """Of a file, or of all in a folder."""
    files = sorted(path for path in [file, *file.rglob("*")] if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


if __name__ == "__main__":
    print("\n" + json.dumps(make(*sys.argv[1:])), flush=True)
