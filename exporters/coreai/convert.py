"""A part as a Core AI asset: rounded, traced, converted, described, and saved as the same bytes every time."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.core import Artifact, Checkpoint, Feeds, Part, Progress
from edgekit.errors import ExportFailed
from edgekit.exporters.common.rounding import round_weights
from edgekit.exporters.coreai.program import FEW, Layer, first_line, traced_program
from edgekit.quantization.weights.gptq import Grid
from edgekit.runtimes.coreai.description import KEY, describe
from edgekit.runtimes.coreai.quiet import quiet

__all__ = ["write"]


def write(
    part: Part, checkpoint: Checkpoint, precision: str, feeds: Sequence[Feeds], out: Path, progress: Progress
) -> Artifact:
    """Write ``PART.aimodel`` (see `edgekit.exporters.coreai`).

    Args:
        feeds: inputs by which weights are rounded; without any they are rounded to nearest.
    """
    module: Any = part.build(checkpoint) if part.build else None
    if not hasattr(module, "state_dict"):
        raise ExportFailed(
            f"the part {part.name!r} ({part.kind}) is not a torch module; the coreai exporter cannot write it."
        )
    module.eval()
    if precision == "int8" and feeds:
        module, what = copy.deepcopy(module), f"rounding weights of {part.name}"
        round_weights(module, part, feeds, lambda *_: Grid(8), lambda i, n: progress(what, i, n), least=FEW)
    progress(f"converting {part.name}", 0, 0)
    with quiet():
        program, layers = traced_program(part, module, precision)
        file = out / f"{part.name}.aimodel"
        _save(part, _converted(part, program), file)
        return Artifact(part.name, file.name, _census(file, precision, layers))


def _converted(part: Part, program: Any) -> Any:
    """Apple's program of a torch program, with the names of the part's inputs and outputs."""
    from coreai_torch import TorchConverter, get_decomp_table

    names = {"input_names": [spec.name for spec in part.inputs], "output_names": [spec.name for spec in part.outputs]}
    try:
        # What else is recorded of where an operator comes from are paths of this machine.
        converter = TorchConverter(mode=TorchConverter.Mode.RELEASE)
        return converter.add_exported_program(program.run_decompositions(get_decomp_table()), **names).to_coreai()
    except Exception as exc:  # torch and MLIR raise many unrelated types here; the reason is in the message
        raise ExportFailed(
            f"the part {part.name!r} cannot become a Core AI program: {first_line(exc)}",
            hint="Write the layer with other operators, or try another: --runtime coreml.",
        ) from exc


def _save(part: Part, program: Any, file: Path) -> None:
    """Save a program, described, and without the day, which is nobody's business."""
    try:
        asset = program.save_asset(file)
    except (RuntimeError, ValueError) as exc:
        raise ExportFailed(f"Core AI cannot save the part {part.name!r}: {first_line(exc)}") from exc

    def tell(metadata: Any) -> None:
        metadata.creation_date = 0.0
        metadata.set_custom(KEY, describe(part.inputs, part.outputs))

    asset.update_metadata(tell)
    told = file / "metadata.json"
    told.write_text(json.dumps(json.loads(told.read_bytes()), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _census(file: Path, precision: str, layers: Mapping[str, Layer]) -> dict[str, Any]:
    """Operators as Core AI counts them in the saved file, and weights by type and by layer."""
    from coreai.authoring import AIModelAsset

    summary = AIModelAsset.load(file).summary(include_statistics=True)
    if summary is None:
        raise ExportFailed(f"{file.name} holds no program.")
    held = dict[str, int]()
    for layer in layers.values():
        held[layer.dtype] = held.get(layer.dtype, 0) + layer.bytes
    return {
        "operators": dict(sorted(summary.operation_distribution)),
        "bytes": {**held, "other": max(0, _size(file) - sum(held.values()))},
        "compute": "fp32" if precision == "fp32" else "fp16",
        "layers": {name: {"form": asdict(layer)["form"], "why": layer.why} for name, layer in layers.items()},
        "ios": 27,
    }


def _size(file: Path) -> int:
    return sum(path.stat().st_size for path in file.rglob("*") if path.is_file())
