"""What the LiteRT exporter does for each part: convert or take, quantize, seal, count, describe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgekit.core import Artifact, Checkpoint, Feeds, Part
from edgekit.errors import BadInput, ExportFailed, Unsupported
from edgekit.exporters.common.writer import Request
from edgekit.exporters.litert import census
from edgekit.exporters.litert.wish import Wish
from edgekit.formats import tflite
from edgekit.formats.tflite.tensors import describe
from edgekit.quantization.plan import Plan


def export(request: Request, wish: Wish) -> list[Artifact]:
    """See `edgekit.exporters.litert`."""
    job, artifacts, precision = _Job(request, wish), [], request.recipe.precision
    for part in request.parts:
        kept_float = not part.quantize or part.name in wish.float_parts
        artifacts.append(job.part(part, "fp32" if kept_float else precision))
    if precision == "int8":
        wish.check_layers(
            request.model.name, sorted({name for artifact in artifacts for name in artifact.census["layers"]})
        )
    return artifacts


def ready_file(checkpoint: Checkpoint, part: Part) -> bytes | None:
    """The content of the ready .tflite that `part` is; None for a torch module, whose weights may be in one.

    Raises:
        BadInput: it has other tensors than the part.
    """
    if checkpoint.format != "tflite" or part.kind != "network":
        return None
    if part.build and hasattr(part.build(checkpoint), "state_dict"):
        return None
    path = checkpoint.path
    content = (path / f"{part.name}.tflite" if path.is_dir() else path).read_bytes()
    main = tflite.read(content, dynamic=bool(part.axes)).subgraphs[0]
    for side, specs, ends in (("input", part.inputs, main.inputs), ("output", part.outputs, main.outputs)):
        found = [(main.tensors[i].dtype, list(main.tensors[i].shape)) for i in ends]
        same = (spec.dtype == dtype and spec.fits(sizes) for spec, (dtype, sizes) in zip(specs, found, strict=False))
        if len(found) != len(specs) or not all(same):
            wanted = [(spec.dtype, list(spec.shape)) for spec in specs]
            raise BadInput(f"the .tflite has the {side}s {found}; the part {part.name!r} needs {wanted}.")
    return content


class _Job:
    """One call of `export`."""

    def __init__(self, request: Request, wish: Wish) -> None:
        self._request, self._wish, self._tell = request, wish, request.progress

    def part(self, part: Part, precision: str) -> Artifact:
        ready = ready_file(self._request.checkpoint, part)
        if ready is not None:
            held = census.precision_of(census.census(_read(ready, part))["bytes"])
            if held in (precision, ""):
                return self._copy(part, ready, precision)
            if held != "fp32":
                raise Unsupported(
                    f"the .tflite of {self._request.model.name}, part {part.name!r}, is {held}; "
                    f"it cannot become {precision}.",
                    hint=f"Choose --precision {held}, or give float weights.",
                )
        from edgekit.exporters.litert import convert

        given = {name: size for name, size in self._wish.sizes.items() if name in part.axes}
        feeds, part = self._request.feeds(part), convert.fix_axes(part, given)
        content = self._float(part, given, ready)
        # Recorded calls of another size than the part was fixed at are of no use.
        fitting = [feed for feed in feeds if all(spec.fits(feed[spec.name].shape) for spec in part.inputs)]
        return self._write(part, content, precision, fitting)

    def _copy(self, part: Part, content: bytes, precision: str) -> Artifact:
        facts = census.census(_read(content, part))
        why = "as it is in the ready file"
        layers = {name: {"form": form, "why": why} for name, form in facts.pop("forms").items()}
        facts = {**facts, "compute": precision, "layers": layers, "source": "a ready .tflite, copied as it is"}
        return self._seal(part, content, facts)

    def _float(self, part: Part, sizes: Mapping[str, int], ready: bytes | None) -> bytes:
        """The tidy fp32 file, made or refused once an export however many recipes are tried."""
        fixed = "".join(f".{name}-{size}" for name, size in sorted(sizes.items()))
        file = self._request.work / f"{part.name}{fixed}.fp32.tflite"
        refusal = file.with_suffix(".json")
        if refusal.exists():
            raise ExportFailed(**json.loads(refusal.read_bytes()))
        if not file.exists():
            self._tell(f"converting {part.name}", 0, 0)
            try:
                file.write_bytes(self._convert_part(part) if ready is None else _tidy_model(part, ready))
            except ExportFailed as exc:
                refusal.write_text(json.dumps({"message": exc.message, "hint": exc.hint}), encoding="utf-8")
                raise
        return file.read_bytes()

    def _convert_part(self, part: Part) -> bytes:
        from edgekit.exporters.litert import convert

        return convert.from_torch(part, self._request.module(part, "litert"))

    def _write(self, part: Part, content: bytes, precision: str, feeds: Sequence[Feeds]) -> Artifact:
        from edgekit.exporters.litert import file as litert_file
        from edgekit.exporters.litert import tidy
        from edgekit.exporters.litert.candidates import LitertCandidates
        from edgekit.quantization.choice import choose

        plan = Plan()
        if precision == "fp16":
            half = litert_file.parse(content)
            litert_file.store_in_half(half)
            content = litert_file.pack(half)
        elif precision == "int8":
            wish = self._wish.of(part.name)
            plan, content = choose(LitertCandidates(content, part, feeds, wish, self._tell), wish)
            # What stays float (sensitive layers, positions) is stored in half; biases keep all their digits.
            half = litert_file.parse(content)
            litert_file.store_in_half(half, least_rank=2)
            content = litert_file.pack(half)
        content = tidy.multiply_activations(content)
        facts = census.census(_read(content, part))
        forms = facts.pop("forms")
        left = [name for name in facts["float_layers"] if name not in plan.floats]
        census.check(facts["bytes"], left, part.name, precision, plan.form)
        # The dynamic form stores convolutions in int8 and computes them in float.
        facts["compute"] = "int8" if {"static", "dynamic"} & set(forms.values()) else "fp32"
        facts["layers"] = {}
        if precision == "int8":
            facts["layers"] = {name: asdict(layer) for name, layer in plan.layers(forms).items()}
            facts["choice"] = plan.facts
        model = litert_file.parse(content)
        litert_file.name_ends(model)
        content = litert_file.pack(model)
        if precision == "int8" and self._wish.io == "int8":
            self._tell(f"comparing {part.name} with TensorFlow Lite Micro", 0, 0)
            facts["microcontroller"] = census.microcontroller(
                content, _read(content, part), (part.inputs, part.outputs), feeds
            )
        return self._seal(part, content, facts)

    def _seal(self, part: Part, content: bytes, facts: dict[str, Any]) -> Artifact:
        """Write the file and its description, after our own reader has found it whole with every buffer inside."""
        _read(content, part)
        (self._request.out / f"{part.name}.tflite").write_bytes(content)
        (self._request.out / f"{part.name}.json").write_text(describe(part.inputs, part.outputs), encoding="utf-8")
        return Artifact(part.name, f"{part.name}.tflite", facts)


def _tidy_model(part: Part, ready: bytes) -> bytes:
    from edgekit.exporters.litert import file as litert_file
    from edgekit.exporters.litert import tidy

    model = litert_file.parse(ready)
    tidy.tidy(model, part.inputs, part.outputs, part.name)
    return litert_file.pack(model)


def _read(content: bytes, part: Part) -> tflite.Graph:
    try:
        return tflite.read(content, dynamic=bool(part.axes))
    except BadInput as exc:
        raise ExportFailed(
            f"the file of the part {part.name!r} is not one that every runtime can read: {exc.message}"
        ) from exc
