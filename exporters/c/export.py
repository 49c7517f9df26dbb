"""What the C exporter does for each part of a model: checks, generates, compiles here, proves, keeps golden vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Artifact, Checkpoint, Facts, Feeds, Model, Part, Recipe
from edgekit.errors import ExportFailed, OverBudget, ParityFailed, Unsupported, need
from edgekit.exporters.c import arena, frontend, write
from edgekit.exporters.c.generate import frontend_files, lower_part, network_files
from edgekit.exporters.c.lowering import graph
from edgekit.exporters.c.pruned import prune_file
from edgekit.exporters.common.writer import Request
from edgekit.runtimes.qemu import build, vouching
from edgekit.runtimes.tflite_micro.runner import MicroRunner

#: Random inputs that are compared beside the real ones, and the most real calls of one stream.
_RANDOM, _REAL = 100, 400
#: Golden vectors that a bundle carries for its self-test.
_VECTORS = 50
_GOLDEN_BYTES = 128_000
#: The least that kernels, start-up and tables take in flash beside the weights: 6 KB of code in the smallest network.
_CODE = 6_000


def export(request: Request) -> list[Artifact]:
    """See `edgekit.exporters.c`."""
    request = replace(request, checkpoint=_integers(request))
    _check(request.model, request.checkpoint)
    for part in request.parts:
        if part.kind == "network":
            _check_budgets(request.model, request.recipe, part, request.checkpoint.path.read_bytes())
    (request.out / "src").mkdir()
    artifacts = []
    for part in request.parts:
        request.progress(f"generating C of {part.name}", 0, 0)
        artifacts.append((_network if part.kind == "network" else _frontend)(request, part))
    return artifacts


def _integers(request: Request) -> Checkpoint:
    """The network as a .tflite of integers: the checkpoint itself, or what LiteRT's static int8 makes of a float one.

    Its inputs and outputs keep the part's dtypes: numbers become int8 on the chip, in the network's first operator.
    """
    model, checkpoint = request.model, request.checkpoint
    networks = [part for part in model.network.parts if part.kind == "network"]
    if checkpoint.format == "tflite" or len(networks) != 1:
        return checkpoint
    from edgekit.exporters.litert import EXPORTER as LITERT

    with need("litert", "Quantizing a float network for C"):
        LITERT.require()
    alone = replace(model, network=replace(model.network, parts=tuple(networks)))
    folder = request.work / "int8"
    folder.mkdir(exist_ok=True)
    recipe = Recipe("", "int8", {"form": "static"}, LITERT.name)  # nobody runs it as it is
    (artifact,) = LITERT.write(replace(request, model=alone, recipe=recipe, out=folder))
    return replace(checkpoint, path=folder / artifact.file, format="tflite")


def _check(model: Model, checkpoint: Checkpoint) -> None:
    for part in model.network.parts:
        if part.kind != "network" and part.kind not in frontend.KINDS:
            raise Unsupported(f"{model.name}: there is no C for the part {part.name!r} of kind {part.kind!r}.")
    if checkpoint.format != "tflite":
        raise Unsupported(
            f"{model.name}: C is made of a ready int8 .tflite, and these weights are {checkpoint.format}.",
            hint="Quantize the network to int8 first, then: edgekit export MODEL --weights FILE.tflite",
        )


def _network(request: Request, part: Part) -> Artifact:
    content, out = request.checkpoint.path.read_bytes(), request.out
    layout = str(request.recipe.options.get("layout", "plain"))
    small = prune_file(content)
    program, plan = lower_part(part, small, layout)
    files, written = network_files(part, small, program, plan)
    _write(files, out / "src")
    request.progress(f"comparing {part.name} with TensorFlow Lite Micro", 0, 0)
    compared = _prove(part, content, out, request.calibration[part.name], bool(program.states))
    return Artifact(part.name, f"src/{part.name}.c", _census(program, written, layout, compared))


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    vouching.vouch(vouching.read(folder))


def _check_budgets(model: Model, recipe: Recipe, part: Part, content: bytes) -> None:
    """Raise OverBudget with both numbers and the largest tensors, before anything is generated."""
    program, plan = lower_part(part, content, str(recipe.options.get("layout", "plain")))
    weights = sum(array.values.nbytes for layer in program.layers for array in layer.arrays)
    others = [frontend.COSTS[other.kind] for other in model.network.parts if other.kind in frontend.COSTS]
    flash, ram = (sum(cost[i] for cost in others) for i in (0, 1))
    for name, needed, budget in (
        ("RAM", plan.bytes + ram, recipe.options.get("ram")),
        ("flash", weights + _CODE + flash, recipe.options.get("flash")),
    ):
        if budget is not None and needed > budget:
            tensors = arena.largest(program) if name == "RAM" else _largest_weights(program)
            listed = ", ".join(f"{title} {size:,} B" for title, size in tensors)
            raise OverBudget(
                f"{model.name} needs at least {needed:,} B of {name}, the target has {int(budget):,} B. "
                f"The largest: {listed}.",
                hint="Choose a smaller model or a larger part: --board NAME, or --flash and --ram.",
            )


def _largest_weights(program: graph.Program, count: int = 3) -> list[tuple[str, int]]:
    sizes = [(layer.title, sum(array.values.nbytes for array in layer.arrays)) for layer in program.layers]
    return sorted(sizes, key=lambda item: -item[1])[:count]


def _frontend(request: Request, part: Part) -> Artifact:
    """Write a frontend, and what it makes of the golden sound: the chip must give the same, value by value."""
    out, calls = request.out, request.calibration[part.name]
    _write(frontend_files(part), out / "src")
    if calls:
        _write_vectors(part, [(calls[0], build.load(out / "src" / f"{part.name}.c")(calls[0]))], out / "golden")
    return Artifact(part.name, f"src/{part.name}.c", {"operators": {part.kind: 1}, "layers": {}})


def _prove(part: Part, content: bytes, out: Path, calls: Sequence[Feeds], stateful: bool) -> int:
    """Compare the generated C with the specification, call by call, and keep the real calls as golden vectors.

    Returns the number of calls compared. Raises ParityFailed at the first difference.
    """
    runner = build.load(out / "src" / f"{part.name}.c")
    assert isinstance(runner, build.NetworkRunner)
    specification = MicroRunner(content, part.inputs, part.outputs)
    rng = np.random.default_rng(0)
    real, random = list(calls[:_REAL]), [_noise(part, rng) for _ in range(_RANDOM)]
    vectors: list[tuple[Feeds, Mapping[str, NDArray[Any]]]] = []
    for i, feeds in enumerate([*real, *random]):
        expected, actual = specification(feeds), runner(feeds)
        for name, value in expected.items():
            if not np.array_equal(value, actual[name]):
                raise ParityFailed(
                    f"the C of {part.name!r} gives other values for {name!r} than TensorFlow Lite Micro at call {i} of "
                    f"{len(real)} real and {len(random)} random ones.",
                    hint="This is a defect of edgekit: please report it with the .tflite.",
                )
        vectors.append((feeds, expected))
    # A stream's vectors are its real calls in order; without state, random ones join them up to a modest size.
    size = sum(value.nbytes for feeds in vectors[:1] for value in feeds[0].values())
    kept = len(real) if stateful else max(len(real), min(len(vectors), _GOLDEN_BYTES // max(size, 1)))
    _write_vectors(part, vectors[:kept], out / "golden")
    return len(vectors)


def _noise(part: Part, rng: Any) -> dict[str, NDArray[Any]]:
    feeds = {}
    for spec in part.inputs:
        shape = tuple(int(size) for size in spec.shape)
        if spec.dtype == "float32":
            feeds[spec.name] = rng.standard_normal(shape).astype(np.float32)
        else:
            info = np.iinfo(spec.dtype)
            feeds[spec.name] = rng.integers(info.min, info.max + 1, shape).astype(spec.dtype)
    return feeds


def _write_vectors(part: Part, vectors: Sequence[tuple[Feeds, Mapping[str, NDArray[Any]]]], folder: Path) -> None:
    """``golden/PART.input.N.npy`` and ``golden/PART.output.N.npy``, stacked over the first calls of one stream."""
    if not vectors:
        raise ExportFailed(f"the golden input never reaches the part {part.name!r}; it proves nothing.")
    folder.mkdir(exist_ok=True)
    chosen = vectors[:_VECTORS]
    for side, specs, position in (("input", part.inputs, 0), ("output", part.outputs, 1)):
        for i, spec in enumerate(specs):
            stacked = np.stack([vector[position][spec.name] for vector in chosen])
            np.save(folder / f"{part.name}.{side}.{i}.npy", stacked, allow_pickle=False)


def _census(program: graph.Program, written: write.Sources, layout: str, compared: int) -> Facts:
    held: Counter[str] = Counter()
    for layer in program.layers:
        for array in layer.arrays:
            held[array.ctype.removesuffix("_t")] += array.values.nbytes
    return {
        "operators": dict(Counter(layer.operator.name for layer in program.layers)),
        "bytes": dict(held),
        "layers": {},
        "macs": sum(layer.macs for layer in program.layers),
        "arena": written.arena,
        "weights": written.weights,
        "layout": layout,
        "exact": f"{compared} calls equal to TensorFlow Lite Micro, bit for bit",
    }
