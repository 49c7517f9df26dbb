"""A part as an ML Program: traced, converted, compressed, described, and saved as the same bytes every time."""

from __future__ import annotations

import copy
import json
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.common.lazy import ct, np, torch
from edgekit.core import Artifact, Feeds, Model, Part, TensorSpec
from edgekit.errors import ExportFailed
from edgekit.exporters.common.rounding import round_weights
from edgekit.exporters.common.torch_export import weights_of
from edgekit.exporters.common.writer import Request
from edgekit.exporters.coreml.candidates import AIMS, Compressed
from edgekit.exporters.coreml.census import census
from edgekit.exporters.coreml.compress import FEW, compress_weights
from edgekit.exporters.coreml.ends import with_plain_ends
from edgekit.exporters.coreml.grids import BITS, grid_of
from edgekit.formats.descriptions import rows_of
from edgekit.quantization.bits import with_more_bits
from edgekit.quantization.plan import LayerPlan, Plan
from edgekit.quantization.weights.gptq import Grid
from edgekit.quantization.weights.identifiers import STRANGE, Converted, Identifiers, is_strange
from edgekit.quantization.weights.palettes import Palette
from edgekit.runtimes.coreml.quiet import quiet
from edgekit.runtimes.coreml.reader import DESCRIPTION, HELD, WEIGHTED, axis_of_outputs, function_of, operations

#: Key under which coremltools notes the day of a conversion.
_DAY = "com.github.apple.coremltools.conversion_date"
#: From so many inputs on, half of them are held out to choose by them which layers keep more bits.
_ENOUGH = 16
#: What an LSTM holds beside the weights of its inputs.
_OTHERS = ("weight_hh", "weight_ih_back", "weight_hh_back")


@dataclass(frozen=True)
class Wish:
    """What a part is to become.

    Attributes:
        form: of `edgekit.exporters.coreml.compress.FORMS`; "" where nothing is compressed.
        system: the oldest iOS that must load it. keep: whether layers may keep more bits.
        shapes: "range", or "enumerated" where the axes of a part name their sizes.
    """

    precision: str
    form: str
    system: int
    keep: bool = True
    shapes: str = "range"


def write(request: Request, part: Part, wish: Wish) -> Artifact:
    """Write ``PART.mlpackage`` (see `edgekit.exporters.coreml`)."""
    module = request.module(part, "coreml")
    for name, axis in part.axes.items():
        if axis.least < 1:
            raise ExportFailed(
                f"the axis {name!r} of the part {part.name!r} may have length 0, and Core ML takes no empty array.",
                hint="Begin it with an entry that nobody looks at, as Whisper's decoder does (models/_whisper.py).",
            )
    request.progress(f"converting {part.name}", 0, 0)
    with quiet():
        program = convert_part(part, module, wish)
        names = identifiers(program, module)
        program, others = _smaller(request, program, part, module, wish, names)
        _describe(program, part, request.model, wish)
        file = request.out / f"{part.name}.mlpackage"
        program.save(str(file))
    _same_every_time(file)
    return Artifact(
        part.name,
        file.name,
        {"ios": wish.system, "sizes": _sizes(part, wish), **census(file, wish.precision, FEW, others, names)},
    )


def identifiers(program: Any, module: Any) -> dict[str, str]:
    """Operator with weights -> its name in the source."""
    layers = dict[str, Converted]()
    for op in operations(function_of(program)):
        held = op.inputs.get(WEIGHTED.get(op.op_type, ""))
        if held is not None and held.val is not None and held.val.ndim > 1:
            more = [op.inputs.get(name) for name in _OTHERS] if op.op_type == "lstm" else []
            others = [other.val for other in more if other is not None and other.val is not None]
            layers[op.name] = Converted(held.val, axis_of_outputs(op), held.name, others)
    return Identifiers(weights_of(module)).names(layers)[0]


def _smaller(
    request: Request, program: Any, part: Part, module: Any, wish: Wish, names: Mapping[str, str]
) -> tuple[Any, Mapping[str, LayerPlan]]:
    """The program with smaller weights, rounded by the part's inputs; and layers of other forms.

    Args:
        names: operator -> its name in the source.
    """
    feeds, progress = request.feeds(part), request.progress
    others = {op: LayerPlan("float", STRANGE) for op, name in names.items() if is_strange(name)}
    if not wish.form:
        return program, {}
    progress(f"compressing {part.name}", 0, 0)
    if not feeds:
        return compress_weights(program, wish.precision, wish.form, _forms(others)), others

    def round_and_convert(known: Sequence[Feeds], others: Mapping[str, LayerPlan]) -> Any:
        """The program with weights on their grids, not yet smaller."""
        near, what = copy.deepcopy(module).eval(), f"rounding weights of {part.name}"
        own = {names.get(op, op): plan.form for op, plan in others.items()}

        def grid(weights: str, outputs: int) -> Grid | Palette | None:
            form = own.get(weights, wish.precision)
            return None if form == "float" else grid_of(form, wish.form, outputs)

        round_weights(near, part, known, grid, lambda i, n: progress(what, i, n), least=FEW)
        return convert_part(part, near, wish)

    place = request.work / f"coreml-{part.name}-{wish.precision}"
    place.mkdir(parents=True, exist_ok=True)
    # What weights are rounded by says too little of how far they are off.
    known, held = (feeds[::2], feeds[1::2]) if len(feeds) >= _ENOUGH else (feeds, feeds)
    try:
        if wish.keep:
            bits = BITS[wish.precision]
            # The others are rounded to nearest for now: all of it is rounded when it is known what each layer becomes.
            programs = {**dict.fromkeys(bits, program), wish.precision: round_and_convert(known, others)}
            compress = {form: partial(compress_weights, one, form, wish.form) for form, one in programs.items()}
            candidates = Compressed(part.name, program, compress, held, place, progress)
            if not candidates.unable:
                plan = Plan(wish.precision, forms=others)
                plan = with_more_bits(candidates, candidates.weights, plan, bits, AIMS[wish.precision])
                others = {**others, **candidates.with_shared(plan)}
        return compress_weights(round_and_convert(feeds, others), wish.precision, wish.form, _forms(others)), others
    except (RuntimeError, ValueError, IndexError) as exc:  # as torch refuses what the interpreter computes
        reason = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
        raise ExportFailed(
            f"the program of the part {part.name!r} does not run on its inputs: {reason[:200]}",
            hint="A size that varies may have become fixed: give inputs of a single size, or choose another exporter.",
        ) from exc
    finally:
        shutil.rmtree(place)


def _forms(others: Mapping[str, LayerPlan]) -> dict[str, str]:
    return {layer: plan.form for layer, plan in others.items()}


def convert_part(part: Part, module: Any, wish: Wish) -> Any:
    trace: Any = torch.jit.trace
    module.eval()
    examples = tuple(torch.ones(_example(part, spec), dtype=getattr(torch, spec.dtype)) for spec in part.inputs)
    said: list[str] = []
    try:
        with torch.inference_mode():
            traced = trace(with_plain_ends(module, examples), examples, check_trace=False)
        with quiet() as said:
            from edgekit.exporters.coreml.torch_operators import has_constant_outputs, patch_coremltools

            # What is computed of constants is exact: positions in half precision would be others.
            half = ct.transform.FP16ComputePrecision(op_selector=lambda op: not has_constant_outputs(op))
            with patch_coremltools():
                return ct.convert(
                    traced,
                    inputs=[_input(part, spec, _sizes(part, wish)) for spec in part.inputs],
                    outputs=[_output(spec) for spec in part.outputs],
                    minimum_deployment_target=getattr(ct.target, f"iOS{wish.system}"),
                    compute_precision=ct.precision.FLOAT32 if wish.precision == "fp32" else half,
                    convert_to="mlprogram",
                    skip_model_load=True,
                )
    except Exception as exc:  # torch and coremltools raise whatever went wrong, of any kind
        reason, hint = reason_of(exc, said)
        raise ExportFailed(f"the part {part.name!r} cannot become a Core ML program: {reason}", hint=hint) from exc


def _example(part: Part, spec: TensorSpec) -> list[int]:
    return [part.axes[axis].example if isinstance(axis, str) else axis for axis in spec.shape]


def _input(part: Part, spec: TensorSpec, sizes: Mapping[str, tuple[int, ...]]) -> Any:
    """With ranges for dynamic axes, or with every shape that one of `sizes` makes."""
    dtype = np.dtype(HELD.get(spec.dtype, "int32")).type
    named = [axis for axis in spec.shape if isinstance(axis, str)]
    if named and sizes:
        [only] = named
        shapes = [[size if isinstance(axis, str) else axis for axis in spec.shape] for size in sizes[only]]
        return ct.TensorType(name=spec.name, shape=ct.EnumeratedShapes(shapes, default=shapes[0]), dtype=dtype)
    axes = []
    for axis in spec.shape:
        if isinstance(axis, str):
            bounds = part.axes[axis]
            axes.append(ct.RangeDim(bounds.least, bounds.most, bounds.example))
        else:
            axes.append(axis)
    return ct.TensorType(name=spec.name, shape=axes, dtype=dtype)


def _output(spec: TensorSpec) -> Any:
    """Of the type that the part's contract names where Core ML has it: what one call gives, the next one can take."""
    return ct.TensorType(name=spec.name, dtype=np.dtype(HELD[spec.dtype]).type if spec.dtype in HELD else None)


def _sizes(part: Part, wish: Wish) -> dict[str, tuple[int, ...]]:
    """The only sizes of the part's dynamic axis, where shapes are to be enumerated and the axis names them."""
    if wish.shapes != "enumerated" or len(part.axes) != 1:
        return {}
    return {name: axis.sizes for name, axis in part.axes.items() if axis.sizes}


def _describe(program: Any, part: Part, model: Model, wish: Wish) -> None:
    """What Xcode shows, and our own contract, which has dtypes that Core ML lacks."""
    program.short_description = f"{model.name}: {part.name} ({model.task.name})"
    program.author = "made with edgekit"
    program.license = model.identity.licence
    for side, described in ((part.inputs, program.input_description), (part.outputs, program.output_description)):
        for spec in side:
            described[spec.name] = f"{spec.dtype} [{', '.join(map(str, spec.shape))}]"
    contract = {**rows_of(part.inputs, part.outputs), "sizes": _sizes(part, wish)}
    program.user_defined_metadata[DESCRIPTION] = json.dumps(contract)


def _same_every_time(file: Path) -> None:
    """Names of a package's items are random; ours follow from what they name. An empty item is left out. The program
    has maps, which protobuf writes in an order of the process's own, and the day, which is nobody's business.
    """
    from coremltools.proto import Model_pb2

    for model in file.rglob("*.mlmodel"):
        spec = Model_pb2.Model.FromString(model.read_bytes())
        told = spec.description.metadata.userDefined
        if _DAY in told:
            del told[_DAY]
        model.write_bytes(spec.SerializeToString(deterministic=True))
    manifest = json.loads((file / "Manifest.json").read_bytes())
    named, items = {}, {}
    for old, item in manifest["itemInfoEntries"].items():
        place = file / "Data" / item["path"]
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
            continue
        named[old] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"edgekit/{item['path']}"))
        items[named[old]] = item
    manifest["itemInfoEntries"] = dict(sorted(items.items()))
    manifest["rootModelIdentifier"] = named[manifest["rootModelIdentifier"]]
    (file / "Manifest.json").write_text(json.dumps(manifest, indent=4) + "\n", encoding="utf-8")


def reason_of(exc: Exception, said: Sequence[str]) -> tuple[str, str]:
    """What went wrong, with the layer where coremltools tells it, and what to type next ("" if nobody knows).

    Args:
        said: what it logged of errors (see `quiet.quiet`).
    """
    text = str(exc)
    lacking = re.search(r"PyTorch convert function for op '([^']+)' not implemented", text)
    reason = next((line.strip() for line in text.splitlines() if line.strip()), type(exc).__name__)
    if lacking:
        reason = f"Core ML has no operator for {lacking[1]}"
    if inner := re.search(r"HigherOrderOperator (\w+)", text):
        lacking, reason = inner, f"it has branches or loops ({inner[1]}), which torch does not trace for Core ML"
    places = [
        found for line in said for found in re.findall(r"converting '([^']+)' op \(located at: '([^']*)'\)", line)
    ]
    if places:
        operator, path = places[0]
        # The last piece names the value, the others the modules around it.
        layer = ".".join(piece for piece in path.split("/")[:-1] if piece) or "of the part itself"
        reason += f" (layer {layer}{'' if lacking else f', operator {operator}'})"
    if newer := _newer(text):
        return reason, f"Use -o ios={newer}."
    return reason, "Write the layer with other operators, or try another: --runtime onnxruntime." if lacking else ""


def _newer(text: str) -> int | None:
    """The system that coremltools asks for, by its name or by the version of its specification (7 is iOS 16)."""
    if not re.search(r"deployment.target", text):
        return None
    named = re.search(r"iOS ?(\d\d)", text)
    version = re.search(r"(?:available from|has) version (\d+)", text)
    return int(named[1]) if named else int(version[1]) + 9 if version else None
