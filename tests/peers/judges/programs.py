"""Questions about the torch modules behind a model's bundle for iOS, in fp32 and in fp16: for Apple's runtime, beside ours.

    python programs.py MODEL FOLDER    writes FOLDER/ios-fp32/PART and FOLDER/ios-fp16/PART; prints a JSON line

A question holds program.pt2, the module exported at its calls' shapes; `fp32` is what torch gives in fp32, `out` what our
interpreter gives of the ML Program that edgekit makes of the module in this precision.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from asked import read
from shapes import largest
from torch.fx.node import map_aggregate

from edgekit.core import Recipe
from edgekit.errors import EdgekitError
from edgekit.exporters.common.torch_export import Flat
from edgekit.numerics.parity import Recorder, reference_of
from edgekit.pipeline import resolving
from edgekit.pipeline.job import Asked
from edgekit.tasks.resolved import predictor_of

CALLS = 4


class Half(torch.nn.Module):
    """A traced network in half precision, between ends in single precision."""

    def __init__(self, traced: Any) -> None:
        super().__init__()
        for node in list(traced.graph.nodes):
            if "_assert_tensor_metadata" in str(node.target):
                traced.graph.erase_node(node)
            else:  # what it casts to single precision, or makes in it
                node.args, node.kwargs = (map_aggregate(given, _half) for given in (node.args, node.kwargs))
        traced.recompile()
        self.module = traced.half()

    def forward(self, *tensors: torch.Tensor) -> Any:
        made = self.module(*(tensor.half() if tensor.is_floating_point() else tensor for tensor in tensors))
        made = made if isinstance(made, tuple | list) else (made,)
        return tuple(tensor.float() if tensor.is_floating_point() else tensor for tensor in made)


def _half(value: Any) -> Any:
    return torch.float16 if value is torch.float32 else value


def write(part: Any, module: torch.nn.Module, calls: Sequence[Any], program: Path, runner: Any, folder: Path) -> None:
    """A question: the calls, what the program `runner` runs gives for them, and the module in its precision."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = {f"in/{i}/{name}": value for i, (feeds, _) in enumerate(calls) for name, value in feeds.items()}
    sides |= {f"fp32/{i}/{name}": value for i, (_, out) in enumerate(calls) for name, value in out.items()}
    why = runner.unable
    try:
        for i, (feeds, _) in enumerate(calls):
            sides |= {} if why else {f"out/{i}/{name}": value for name, value in runner(feeds).items()}
    except EdgekitError as exc:
        why = exc.message
    np.savez(folder / "calls.npz", allow_pickle=False, **sides)
    model, form = folder.parts[-3:-1]
    facts = {
        "model": model,
        "form": form,
        "part": part.name,
        "precision": form[-4:],
        "exporter": "coreml",
        "unable": why,
    }
    facts |= {"file": str((folder / "program.pt2").resolve()), "program": str(program.resolve())}
    facts |= {side: [{"name": spec.name, "dtype": spec.dtype} for spec in getattr(part, side)] for side in ("inputs", "outputs")}  # fmt: skip
    (folder / "question.json").write_text(json.dumps(facts))
    feeds = calls[largest(read(folder))[0]][0]
    example = tuple(torch.from_numpy(np.ascontiguousarray(feeds[spec.name])) for spec in part.inputs)
    with torch.no_grad():
        made = torch.export.export(Flat(module), example, strict=False)
        if form.endswith("16") and part.quantize:
            made = torch.export.export(Half(made.module()), example, strict=False)
    torch.export.save(made, folder / "program.pt2")
    facts["sha256"] = hashlib.sha256((folder / "program.pt2").read_bytes()).hexdigest()
    (folder / "question.json").write_text(json.dumps(facts, indent=1))


def main(name: str, folder: Path) -> dict[str, Any]:
    """What was made, and the reasons of what was not."""
    from edgekit.common import package_data

    job = resolving.job_of(Asked(name, "ios", precision="fp16", evidence=False))
    weights, _ = resolving.weights_of(job, None, job.asked.tell)
    job, checkpoint = resolving.read(job, weights, job.asked.tell)
    parts, reasons = job.model.network.parts, {}
    built = {part.name: part.build(checkpoint) if part.build else None for part in parts}
    recorders = {p.name: Recorder(reference_of(p, built[p.name]), CALLS, evenly=True) for p in parts if built[p.name]}
    with tempfile.TemporaryDirectory() as work:
        facts = job.model.weights.prepare(checkpoint, Path(work))
        sample = Path(work) / f"golden{Path(job.model.task.golden).suffix}"
        sample.write_bytes(package_data.read(job.model.task.golden))
        predictor_of(job.model, recorders, Path(work), facts).probe(str(sample))
    for precision in ("fp32", "fp16"):
        out = folder / "programs" / precision
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            recipe = Recipe("coreml", precision)
            made = job.exporter.export(job.model, checkpoint, recipe, {}, out, Path(work), job.asked.tell)
        for part, artifact in zip(parts, made, strict=True):
            module, place = built[part.name], folder / f"ios-{precision}" / part.name
            try:
                if not isinstance(module, torch.nn.Module):
                    raise TypeError(f"it is no torch module ({part.kind})")
                file = out / artifact.file
                write(part, module.eval(), recorders[part.name].calls, file, job.exporter.load(file, 1), place)
            except Exception as exc:  # torch raises whatever went wrong
                reasons[f"ios-{precision}/{part.name}"] = f"{type(exc).__name__}: {exc}".splitlines()[0][:240]
    return {"parts": [part.name for part in parts], "reasons": reasons}


if __name__ == "__main__":
    try:
        answer = main(sys.argv[1], Path(sys.argv[2]))
    except EdgekitError as exc:
        answer = {"reason": exc.message}
    print("\n" + json.dumps(answer), flush=True)
