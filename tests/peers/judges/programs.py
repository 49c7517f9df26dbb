"""Questions about the torch modules behind a bundle for iOS, in fp32 and in fp16: for Apple's runtime, beside ours.

A question's file is program.pt2, the module exported at the shapes of its calls. `fp32` is what torch gives in fp32,
`out` what our interpreter gives of the ML Program that edgekit makes of the module in the question's precision.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shapes import largest
from torch.fx.node import map_aggregate

from edgekit.core import Part, Recipe
from edgekit.errors import EdgekitError
from edgekit.exporters.common.torch_export import Flat
from edgekit.numerics.parity import Recorder, reference_of
from edgekit.pipeline import resolving, writing
from edgekit.pipeline.job import Asked, Run

FORMS = ("ios-fp32", "ios-fp16")
CALLS = 2


class Half(torch.nn.Module):
    """A traced network in half precision, between ends in single precision."""

    def __init__(self, traced: Any) -> None:
        super().__init__()
        for node in list(traced.graph.nodes):
            if "_assert_tensor_metadata" in str(node.target):
                traced.graph.erase_node(node)
            else:  # what it casts to single precision, or makes in it
                node.args, node.kwargs = (
                    map_aggregate(given, lambda value: torch.float16 if value is torch.float32 else value)
                    for given in (node.args, node.kwargs)
                )
        traced.recompile()
        self.module = traced.half()

    def forward(self, *tensors: torch.Tensor) -> Any:
        made = self.module(*(tensor.half() if tensor.is_floating_point() else tensor for tensor in tensors))
        made = made if isinstance(made, tuple | list) else (made,)
        return tuple(tensor.float() if tensor.is_floating_point() else tensor for tensor in made)


def make(model: str, form: str, folder: Path) -> dict[str, Any]:
    """Write folder/FORM/PART for each part, of both forms with the first; ``{"form": form, "parts": their names}``."""
    if form == FORMS[0]:
        for old in FORMS:
            shutil.rmtree(folder / old, ignore_errors=True)
        _make(model, folder)
    return {"form": form, "parts": sorted(path.name for path in (folder / form).iterdir())}


def _make(name: str, folder: Path) -> None:
    job = resolving.job_of(Asked(name, "ios", precision="fp16", evidence=False))
    weights, source = resolving.weights_of(job, None, job.asked.tell)
    job, checkpoint = resolving.read(job, weights, job.asked.tell)
    modules: dict[str, Any] = {part.name: part.build(checkpoint) for part in job.model.network.parts if part.build}
    with tempfile.TemporaryDirectory() as stage, tempfile.TemporaryDirectory() as work:
        run = writing.prepared(Run(job, checkpoint, source, "", Path(stage), Path(work), folder, job.asked.tell))
        recorders = {
            part.name: Recorder(reference_of(part, modules[part.name]), CALLS, evenly=True)
            for part in job.model.network.parts
        }
        run.predictor(recorders).probe(str(run.stage / run.golden_input))
        for form in FORMS:
            (out := folder / form / "programs").mkdir(parents=True)
            recipe = Recipe("coreml", form[-4:])
            made = job.exporter.export(job.model, checkpoint, recipe, {}, out, run.work, job.asked.tell)
            for part, artifact in zip(job.model.network.parts, made, strict=True):
                runner = job.exporter.load(out / artifact.file, 1)
                _write(part, modules[part.name], recorders[part.name].calls, runner, folder / form / part.name)
            shutil.rmtree(out)


def _write(part: Part, module: Any, calls: Sequence[Any], runner: Any, folder: Path) -> None:
    folder.mkdir()
    arrays = {f"in/{i}/{name}": value for i, (feeds, _) in enumerate(calls) for name, value in feeds.items()}
    arrays |= {f"fp32/{i}/{name}": value for i, (_, out) in enumerate(calls) for name, value in out.items()}
    try:
        arrays |= {
            f"out/{i}/{name}": value for i, (feeds, _) in enumerate(calls) for name, value in runner(feeds).items()
        }
    except EdgekitError as exc:  # what is not interpreted here, Apple's runtime may compute
        print(f"{folder}: {exc.message}")
    np.savez(folder / "calls.npz", allow_pickle=False, **arrays)
    file, why = folder / "program.pt2", ""
    try:
        feeds = calls[largest([feeds for feeds, _ in calls])[0]][0]
        example = tuple(torch.from_numpy(np.ascontiguousarray(feeds[spec.name])) for spec in part.inputs)
        with torch.no_grad():
            program = torch.export.export(Flat(module), example, strict=False)
            if folder.parent.name == FORMS[1] and part.quantize:
                program = torch.export.export(Half(program.module()), example, strict=False)
        torch.export.save(program, file)
    except Exception as exc:  # torch raises whatever went wrong
        why = f"torch does not export it: {exc}".splitlines()[0][:240]
    facts = {
        "model": folder.parts[-3],
        "form": folder.parts[-2],
        "part": part.name,
        "exporter": "coreml",
        "unable": why,
    }
    facts |= {"file": str(file.resolve()), "sha256": _hash(file), "calls": _hash(folder / "calls.npz")}
    names = {side: [{"name": spec.name} for spec in getattr(part, side)] for side in ("inputs", "outputs")}
    (folder / "question.json").write_text(json.dumps({**facts, **names}, indent=1))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes() if file.exists() else b"").hexdigest()
