"""The questions of a model: its bundles of today, exported as anybody does, and what they answer on this machine.

    python questions.py MODEL FORM       into build/judges; prints a JSON line: what was made, or why there is nothing

Calls are those that a bundle's golden input makes: a real photo, clip or sentence, never noise.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import edgekit
from edgekit.bundles.opened import load
from edgekit.common import packed
from edgekit.core import Bundle, Feeds, Runner
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
}
#: Calls of a part, evenly spaced (of one with state: its first ones), and bytes of them all.
CALLS, STATEFUL, BYTES = 2, 16, 100_000_000


def make(model: str, form: str) -> dict[str, Any]:
    """Export a form and write the questions of its parts; ``{"form": its name, "parts": their names}`` or
    ``{"reason": why there is none}``. The default form gets its precision into its name: laptop-int8."""
    target, options = FORMS[form]
    try:
        bundle = edgekit.export(model, target, out=BUILD / "bundles" / f"{model}-{form}", **options)
        recorders = record(bundle)
    except EdgekitError as exc:
        return {"reason": exc.message}
    recipe = bundle.manifest.recipe
    name = f"{form}-{recipe.precision}" if form == target == "laptop" else form
    floats = BUILD / "bundles" / f"{model}-laptop-fp32"
    runners = _runners(floats) if floats.is_dir() else {}
    made = []
    for part in bundle.manifest.parts:
        file = bundle.path / part.file
        if file.suffix == ".c":
            file = file.with_suffix(".tflite")  # what the C was made of; a frontend has none, and nobody else reads it
        if not recorders[part.name].calls or not file.exists():
            continue
        made.append(part.name)
        folder = BUILD / "questions" / model / name / part.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        calls = _calls(recorders[part.name])
        arrays = {f"in/{i}/{key}": value for i, (feeds, _) in enumerate(calls) for key, value in feeds.items()}
        arrays |= {f"out/{i}/{key}": value for i, (_, out) in enumerate(calls) for key, value in out.items()}
        arrays |= _float_outputs(runners.get(part.name), [feeds for feeds, _ in calls], recorders[part.name])
        np.savez(folder / "calls.npz", allow_pickle=False, **arrays)
        if file.suffix == packed.SUFFIX:
            file = packed.unpack(file, folder / packed.plain_name(file.name))
        facts = {"model": model, "form": name, "part": part.name, "file": str(file.resolve()), "sha256": _hash(file)}
        facts |= {"exporter": recipe.exporter, "precision": recipe.precision}
        facts |= {"stateful": recorders[part.name].stateful, "calls": _hash(folder / "calls.npz")}
        facts |= {
            side: [{"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)} for spec in getattr(part, side)]
            for side in ("inputs", "outputs")
        }
        (folder / "question.json").write_text(json.dumps(facts, indent=1))
    return {"form": name, "parts": made}


def record(bundle: Bundle) -> dict[str, Recorder]:
    """Part -> its calls for the golden input, made by edgekit's own runtime with one thread."""
    recorders: dict[str, Recorder] = {}

    def wrap(name: str, runner: Runner) -> Recorder:
        recorders[name] = Recorder(runner, STATEFUL) if runner.stateful else Recorder(runner, CALLS, evenly=True)
        return recorders[name]

    predictor = load(bundle.path, 1, wrap, hashes=False)
    predictor.probe(str(bundle.path / bundle.manifest.golden.input))
    return recorders


def _runners(folder: Path) -> dict[str, Runner]:
    found: dict[str, Runner] = {}
    load(folder, 1, lambda name, runner: found.setdefault(name, runner), hashes=False)
    return found


def _calls(recorder: Recorder) -> Sequence[tuple[Feeds, Mapping[str, Any]]]:
    """Its first ones and as many as `BYTES` allow, one at least."""
    size = sum(array.nbytes for side in recorder.calls[0] for array in side.values())
    return recorder.calls[: max(1, BYTES // size)]


def _float_outputs(runner: Runner | None, calls: Sequence[Feeds], other: Runner) -> dict[str, Any]:
    """What the float part gives for the calls of `other`; nothing where it has other inputs or outputs."""
    if runner is None or [_kind(spec) for spec in runner.inputs] != [_kind(spec) for spec in other.inputs]:
        return {}
    if {spec.name for spec in runner.outputs} != {spec.name for spec in other.outputs}:
        return {}
    return {f"fp32/{i}/{key}": value for i, feeds in enumerate(calls) for key, value in runner(feeds).items()}


def _kind(spec: Any) -> tuple[str, str]:
    return spec.name, spec.dtype


def _hash(file: Path) -> str:
    files = sorted(path for path in file.rglob("*") if path.is_file()) if file.is_dir() else [file]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()


if __name__ == "__main__":
    print("\n" + json.dumps(make(*sys.argv[1:])), flush=True)
