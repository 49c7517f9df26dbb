"""ONNX: fp32, fp16 storage, and int8 chosen by measuring on real inputs.

Parts made of convolutions get static int8 (`static`), the others a form for every product (`products`).
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from functools import partial

from edgekit.common import packed
from edgekit.common.figures import count
from edgekit.common.lazy import onnx
from edgekit.common.memory import give_back
from edgekit.core import Artifact, Facts, Feeds, Model, Part, Progress, Recipe
from edgekit.errors import ExportFailed, Unsupported, need
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer
from edgekit.exporters.onnx import narrow
from edgekit.quantization.plan import LayerPlan, Wish
from edgekit.registry import find
from edgekit.runtimes.onnxruntime import Onnxruntime

OPTIONS = {
    "form": options.each_part(options.values("blockwise", "dynamic", "four-bit", "int16", "rows", "static")),
    "ranges": options.each_part(options.values("min-max", "percentile", "entropy", "wide")),
    "float_layers": options.each_part(options.layers_or_count),
    "float_parts": options.parts,
    "careful_parts": options.parts,
    "bits": options.each_part(options.between(narrow.FEWEST, narrow.WHOLE)),
    "weights": options.values("per-channel", "per-tensor"),
    "time": options.each_part(options.between(narrow.FASTEST, 1)),
    "activations": options.values(8, 16),
}
#: Layers that stay float in the second int8 of the ladder: at most, and at most one of so many.
_FLOATS, _ONE_OF = 8, 3
#: What a part says of its int8 -> the form of its products.
_FORMS = {"weights": "blockwise", "calls": "dynamic"}
#: What a runtime's constraints may rule out: a scale for every row of activations; scales of blocks of weights;
#: convolutions in integers, whose weights are then stored in int8 and computed in float.
ROWS, BLOCKS, INTEGER = "scales of rows", "scales of blocks", "integer convolutions"
_RULES = {ROWS: "rows", BLOCKS: "blockwise"}
#: What they may rule out besides: ranges of activations that each call has anew, which leaves the static form alone;
#: integer layers that give float; products of sequences that are no convolutions. More words: `rewriting.repairs`.
CALLS, MIXED = "ranges of each call", "float results of integer layers"
SEQUENCES = "integer products of sequences"
#: In float: scalars beside weights that could hold them, as every rounding counts.
SCALARS = "products and sums with scalars"
#: The ability to compute with activations of 16 bits in the static form.
WIDE = "static-16"
#: Forms of layers that are not computed in int8.
_STORED = {"float", "weight-only"}


class OnnxExporter(Writer):
    """See `edgekit.core.Exporter`. Options of a recipe:

    ``form``
        "dynamic", "rows", "int16", "blockwise", "four-bit" or "static": the form of a part's products, instead of
        the choice. What shares its weights with an embedding stays blockwise. A runtime whose ranges are fixed by
        calibration gets "static" whatever it says.
    ``ranges``
        "min-max", "percentile", "entropy" or "wide": for static int8, instead of the measured choice.
    ``float_layers``
        [layer, ...]: layers that stay float, by the names in the census; or a number: so many of the most sensitive,
        of static int8. For the other forms: names of convolutions.
    ``float_parts``
        [part, ...]: parts that stay fp32 although the precision is int8.
    ``careful_parts``
        [part, ...]: parts whose products have the narrower limits of `products.CAREFUL`, and whose tables stay float.
    ``bits``
        How many bits a weight of the part's products may take in the file on average, scales included
        (3 to 8, such as 5.5). Each product gets 2.5 to 8 of them: the more, the further it alone moves the outputs;
        tables that are looked up get them as they are. The file is packed (`edgekit.common.packed`); opened, all
        weights have 8 bits.
    ``time``
        What the part's products with many rows may take together, as a share of their time in float on
        this machine (0.05 to 1). Within it they get the forms that move the outputs least.
    ``activations``
        8 or 16: the bits of activations in static int8, for runtimes that have both.
    ``weights``
        "per-channel" or "per-tensor" scales of weights, for static int8. Without it: per channel.
    """

    name = "onnx"
    precisions = ("fp32", "fp16", "int8")
    extra = "export"
    distributions = ("torch", "onnx", "onnxscript", "onnxruntime", "safetensors", "numpy")
    doctor = "export to onnx"
    takes = ("onnx graph",)
    rules = OPTIONS

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.onnx`` for every part of the model, or ``PART.onnx.gz`` where the recipe says how many bits its
        weights may take.

        Raises:
            Unsupported: the precision is not one of `precisions`, or an option is not known.
            ExportFailed: a part cannot be traced, or the file is not what its precision says.
        """
        self.require()
        artifacts, recipe = [], request.recipe
        for part in request.parts:
            ready = request.model.network.precision
            precision = "fp32" if ready else recipe.precision
            read = partial(self._reference, request, part, precision)
            if ready:
                artifacts.append(_copy_ready_model(request, part, read()))
                continue
            float_part = not part.quantize or part.name in recipe.options.get("float_parts", ())
            artifacts.append(self._write(request, part, read, "fp32" if float_part else recipe.precision))
            gc.collect()  # a trace and a choice refer to themselves
            give_back()
        return artifacts

    def check_recipe(self, model: Model, recipe: Recipe) -> None:
        """See `edgekit.core.Exporter`."""
        super().check_recipe(model, recipe)
        runtime = find("runtimes", recipe.runtime)
        if "time" in recipe.options and not isinstance(runtime, Onnxruntime):
            raise Unsupported(f"products are timed in onnxruntime, so the option 'time' is not for {recipe.runtime}.")
        if recipe.options.get("activations", 8) == 16 and WIDE not in runtime.abilities.activations:
            raise Unsupported(f"{recipe.runtime} computes no activations of 16 bits in integers.")

    def defaults(self, model: Model, precision: str) -> Facts:
        """See `edgekit.core.Exporter`: of int8, forms, ranges and sensitive parts."""
        parts = [part for part in model.network.parts if part.quantize and precision == "int8"]
        facts: Facts = {
            "form": {part.name: _FORMS[part.int8] for part in parts if part.int8},
            "ranges": {part.name: part.ranges for part in parts if part.ranges},
            "careful_parts": [part.name for part in parts if part.sensitive],
            "float_layers": options.float_layers(model) if precision == "int8" else {},
        }
        return {name: fact for name, fact in facts.items() if fact}

    def careful(self, model: Model, recipe: Recipe) -> Sequence[Facts]:
        """The most sensitive layers of parts made of convolutions in float; products of sensitive parts in blocks.
        Where the runtime has them, activations of 16 bits in place of both."""
        if WIDE in find("runtimes", recipe.runtime).abilities.activations:
            return [{"activations": 16}]
        works = model.costs.work(recipe) if model.costs.work else ()
        counts = {work.part: min(_FLOATS, work.layers // _ONE_OF) for work in works if work.kind == "convolution"}
        floats = {part: count for part, count in counts.items() if count}
        blocks = {part.name: "blockwise" for part in model.network.parts if part.sensitive and part.quantize}
        return [*([{"float_layers": floats}] if floats else []), *([{"form": blocks}] if blocks else [])]

    def recipe_without_samples(self, model: Model, recipe: Recipe) -> Recipe | None:
        """int8 of products and recurrent layers, whose activations are quantized as they come; fp16 follows it."""
        if "dynamic" not in find("runtimes", recipe.runtime).abilities.activations:
            return super().recipe_without_samples(model, recipe)
        parts = [part.name for part in model.network.parts if part.quantize]
        return replace(recipe, precision="int8", options={"form": dict.fromkeys(parts, "dynamic")})

    def faster_recipes(self, model: Model, recipe: Recipe, size: int | None = None) -> Sequence[Recipe]:
        """int8 whose products take shares of their time in float, on this machine."""
        timed = isinstance(find("runtimes", recipe.runtime), Onnxruntime)
        return narrow.faster_recipes(recipe, model, size) if timed and not model.network.precision else ()

    def candidates(self, model: Model, recipe: Recipe, size: int | None = None) -> Sequence[Recipe]:
        """Also fewer bits in the products of all parts (with `size`: as many as it allows), and int8 with one part in
        float."""
        usual = super().candidates(model, recipe, size)
        parts = [part.name for part in model.network.parts if part.quantize]
        if model.network.precision or not find("runtimes", recipe.runtime).abilities.blocks:
            return usual
        return [
            *narrow.recipes(recipe, model, size),
            *(one for one in usual if one.precision == "int8"),
            *(replace(recipe, precision="int8", options={"float_parts": [part]}) for part in parts if len(parts) > 1),
            *(one for one in usual if one.precision != "int8"),
        ]

    def require(self) -> None:
        """See `edgekit.core.Exporter`."""
        with need("export", "Exporting to ONNX"):
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401  torch imports it late; its absence must show now
            import torch  # noqa: F401

    def _reference(self, request: Request, part: Part, precision: str) -> onnx.ModelProto:
        """The fp32 graph, made once an export however many recipes are tried: a ready graph as it is, but for what
        smaller forms are made of (see `rewriting.simpler`)."""
        from edgekit.exporters.onnx.graph import from_torch
        from edgekit.exporters.onnx.naming import name_layers
        from edgekit.exporters.onnx.rewriting.simpler import simplify_graph, without_needless
        from edgekit.runtimes.onnxruntime.reference import OnnxGraph

        file, simple = (request.work / f"{part.name}.{form}.onnx" for form in ("fp32", "simple"))
        if not file.exists():
            if part.build is None:
                raise ExportFailed(f"the part {part.name!r} is not a torch graph; the onnx exporter cannot write it.")
            request.progress(f"tracing {part.name}", 0, 0)
            built = part.build(request.checkpoint)
            ready = built.model if isinstance(built, OnnxGraph) else None
            if ready is None:
                traced = without_needless(from_torch(part, built))
                gc.collect()  # what torch traced refers to itself
                give_back()
                name_layers(traced, built)
                del built
                onnx.save(traced, file)
                del traced
            else:
                onnx.save(ready, file)
                if precision != "fp32":
                    onnx.save(without_needless(simplify_graph(ready)), simple)
            give_back()
        return onnx.load(simple if simple.exists() and precision != "fp32" else file)

    def _write(self, request: Request, part: Part, read: Callable[[], onnx.ModelProto], precision: str) -> Artifact:
        from edgekit.exporters.onnx import census, half
        from edgekit.exporters.onnx.graph import share
        from edgekit.exporters.onnx.rewriting import repairs, scalars

        recipe, progress = request.recipe, request.progress
        ruled_out = repairs.ruled_out(recipe.runtime)
        choice: dict[str, LayerPlan] = {}
        calibrated: Facts = {}
        if precision == "int8":  # the float graph is let go of as soon as it has been rewritten
            graph, choice, calibrated = self._int8(part, read(), recipe, request.feeds(part), progress)
        else:
            graph = scalars.fold_scalars(read()) if SCALARS in ruled_out else read()
            graph = half.store_in_half(graph) if precision == "fp16" else graph
        graph = repairs.repair(graph, ruled_out)
        share(graph)
        facts = census.census(graph)
        census.check(facts["bytes"], facts["float_layers"], part.name, precision, part.quantize)
        if shared := len(facts["shared_int8"]):
            tensors = count(shared, "int8 tensor")
            progress(f"{part.name}: products share {tensors}, whose sums may overflow on x86 without VNNI", 0, 0)
        # A recurrent layer may be stored in int8 and computed in float.
        integer = precision == "int8" and (calibrated or {layer.form for layer in choice.values()} - _STORED)
        facts["compute"] = "int8" if integer else "fp32"
        if calibrated:
            facts["calibration"] = calibrated
        facts["layers"] = {name: asdict(layer) for name, layer in choice.items()}
        file = f"{part.name}.onnx"
        if precision == "int8" and recipe.option("bits", part.name):
            file += packed.SUFFIX
            packed.pack(graph.SerializeToString(deterministic=True), request.out / file)
        else:
            onnx.save(graph, request.out / file)
        return Artifact(part.name, file, facts)

    def _int8(
        self, part: Part, graph: onnx.ModelProto, recipe: Recipe, feeds: Sequence[Feeds], progress: Progress
    ) -> tuple[onnx.ModelProto, dict[str, LayerPlan], Facts]:
        if any(attribute.HasField("g") for node in graph.graph.node for attribute in node.attribute):
            raise ExportFailed(
                f"the part {part.name!r} has branches or loops; edgekit makes no int8 of such a graph.",
                hint="Choose --precision fp16, or fix the axes that the branches depend on with --dynamic.",
            )
        from edgekit.exporters.onnx import finding, half, linear, products, recurrent
        from edgekit.exporters.onnx.choice import timed
        from edgekit.exporters.onnx.choice.weights import Weights
        from edgekit.exporters.onnx.choice.widths import narrow_weights
        from edgekit.exporters.onnx.convolutions import matrices, places, rounding, static
        from edgekit.exporters.onnx.rewriting import repairs

        names = ("form", "ranges", "float_layers", "bits", "time")
        forced, ranges, keep, bits, share = (recipe.option(name, part.name) for name in names)
        keep = tuple(keep) if isinstance(keep, Collection) else keep
        runtime = find("runtimes", recipe.runtime)
        ruled_out = repairs.ruled_out(recipe.runtime)
        fixed = INTEGER not in ruled_out and places.convolutional(graph)
        forced = "static" if CALLS in ruled_out else forced
        static_form = forced == "static" or (forced is None and fixed)
        for name, asked in (("bits", bits), ("time", share)):
            if asked and (static_form or forced):
                raise Unsupported(
                    f"the part {part.name!r} has no products of matrices whose forms could be chosen: its form is "
                    f"{'static' if static_form else forced}.",
                    hint=f"Leave the part out of the option {name}, or out of form.",
                )
        absent = {form for rule, form in _RULES.items() if rule in ruled_out}
        if INTEGER in ruled_out and places.convolutional(graph) and feeds:
            told = f"rounding weights of {part.name}"
            graph = rounding.round_convolutions(graph, feeds, lambda done, total: progress(told, done, total))
        if static_form:
            # The first layers stay float where that takes no longer.
            head = runtime.costs.get("first convolution", {}).get("float", math.inf) <= 1
            wish = Wish(forced, ranges, keep, head, weights=recipe.options.get("weights", "per-channel"))
            needs = static.Needs(MIXED in ruled_out, recipe.options.get("activations", 8))
            graph, tables = linear.with_tables(graph) if needs.whole else (graph, {})
            graph = matrices.as_convolutions(graph) if SEQUENCES in ruled_out else graph
            graph, planned, facts = static.make(graph, feeds, part.name, wish, progress, needs)
            return graph, {**planned, **tables}, facts
        graph, layers = recurrent.quantize(linear.with_products(graph), feeds)
        careful = part.name in recipe.options.get("careful_parts", ())
        weights = Weights()
        graph, tables = (graph, {}) if careful else linear.with_tables(graph, float(bits or 0))
        graph, stored = linear.with_stored(graph, keep if isinstance(keep, tuple) else ())
        choice: dict[str, LayerPlan] = {}
        if forced:
            graph, choice, weights = products.choose_uniform(graph, feeds, forced, absent)
        elif finding.products(graph):
            if not feeds:
                raise ExportFailed(f"the part {part.name!r} has no recorded input to choose its int8 layers by.")

            def tell(done: int, total: int) -> None:
                progress(f"measuring layers of {part.name}", done, total)

            bounds = products.bounds_of(runtime.costs.get("product", {}), careful=careful, absent=absent)
            chooser = partial(timed.within, share) if share else partial(products.choose_within_bounds, bounds)
            graph, choice, weights = products.choose(
                graph, feeds, tell, chooser, equalize=not careful, narrow=bool(bits), absent=absent
            )
            if bits:
                choice = narrow_weights(graph, choice, feeds, float(bits), tell)
        graph = products.quantize(graph, {name: layer.form for name, layer in choice.items()}, weights)

        def scales(name: str) -> bool:
            return name.endswith(".scales")  # these keep all their digits

        # What stays float (small convolutions, sensitive layers) is stored in half, or in bytes where few are wanted.
        graph = half.store_in_bytes(graph, keep=scales) if bits else graph
        graph = half.store_in_half(graph, keep=scales)
        return graph, {**choice, **layers, **tables, **stored}, {}


def _copy_ready_model(request: Request, part: Part, graph: onnx.ModelProto) -> Artifact:
    """A ready file that is quantized already, or holds its weights in half precision."""
    from edgekit.exporters.onnx import census
    from edgekit.exporters.onnx.rewriting import repairs

    model, recipe = request.model, request.recipe
    held = model.network.precision
    if recipe.precision != held:
        raise Unsupported(
            f"the .onnx of {model.name} is {held}; it cannot become {recipe.precision}.",
            hint=f"Choose --precision {held}, or give float weights.",
        )
    repaired = repairs.repair(graph, repairs.ruled_out(recipe.runtime))
    told = "taken as it is" if repaired is graph else f"with repairs for {recipe.runtime}"
    onnx.save(repaired, request.out / f"{part.name}.onnx")
    facts = {**census.census(repaired), "compute": held, "layers": {}, "source": f"a ready .onnx, {told}"}
    return Artifact(part.name, f"{part.name}.onnx", facts)


EXPORTER = OnnxExporter()
