"""What predicts the error of many layers in int8: trials of each alone, or gradients of the reference.

    python tests/peers/compare_sensitivities.py BUNDLE --part encoder [--calibrate FOLDER] [--judge FOLDER]

BUNDLE is an fp32 bundle for laptop of a model of the registry. Layers draw forms, float among them, `--draws` times;
the squared error of the outputs is measured on calls that nothing else saw. For each draw it is predicted as a sum over
its layers, on calibration calls, of

- trial: the squared error of the outputs where the layer alone has its form;
- gradient: the square of what the layer's own error makes of the outputs to first order (Gauss-Newton), by gradients of
  random projections of the reference's outputs;
- diagonal: the same without products of different values (the diagonal of the Fisher information).

The table has correlations of prediction and measurement over the draws: of ranks (Spearman), and linear (Pearson).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from _quantizing import Counts, Subject, samples  # noqa: E402

from edgekit.bundles.bundle import open_bundle  # noqa: E402
from edgekit.bundles.opened import makers  # noqa: E402
from edgekit.core import Feeds, Model  # noqa: E402
from edgekit.exporters.onnx import finding, products  # noqa: E402
from edgekit.exporters.onnx.choice.weights import record_inputs  # noqa: E402
from edgekit.exporters.onnx.convolutions import places, qdq, rounding  # noqa: E402
from edgekit.formats.checkpoint import read_checkpoint  # noqa: E402
from edgekit.numerics.parity import spread  # noqa: E402
from edgekit.quantization.ranges import Histograms  # noqa: E402
from edgekit.runtimes.onnxruntime.runner import evaluate, open_model  # noqa: E402
from edgekit.sources.fetching import fetch  # noqa: E402

#: Layer -> its form, for those that are not float.
Forms = Mapping[str, str]
Outputs = Mapping[str, NDArray[Any]]
KINDS = ("trial", "gradient", "diagonal")
#: Random projections of the outputs, and the seed of all that is drawn.
PROJECTIONS, SEED = 8, 0


@dataclass(frozen=True)
class Layers:
    """Layer -> the tensor that it makes; the forms that it may have; and (graph, forms) -> the graph with them."""

    made: Mapping[str, str]
    forms: Sequence[str]
    write: Callable[[onnx.ModelProto, Forms], onnx.ModelProto]


def layers_of(subject: Subject, forms: Sequence[str]) -> Layers:
    """Products in every form of `forms`, or convolutions in static int8; weights are rounded by inputs in both."""
    tensors = {node.name: node.output[0] for node in subject.graph.graph.node}
    if not subject.static:
        nodes = [product.node for product in finding.products(subject.graph)]
        weights = record_inputs(subject.graph, nodes, subject.known)
        return Layers({node: tensors[node] for node in nodes}, forms, partial(products.quantize, weights=weights))
    there = places.places(subject.graph)
    runner = open_model(subject.graph, there.tensors_to_calibrate, threads=1)
    ranges = Histograms(runner, subject.known, _silent).ranges("percentile")
    rounded = rounding.round_products(there, subject.known, _silent)

    def write(model: onnx.ModelProto, chosen: Forms) -> onnx.ModelProto:
        return qdq.quantize(places.places(model), ranges, only=list(chosen), rounded=rounded)

    return Layers({name: tensors[name] for name in there.products}, ("static",), write)


def squared(answers: Sequence[Outputs], truths: Sequence[Outputs], names: Sequence[str]) -> float:
    """Squared relative error, the mean of the outputs `names`; calls count by their size."""
    pairs = list(zip(answers, truths, strict=True))
    errors = []
    for name in names:
        off = sum(float(np.square(a[name] - b[name], dtype=np.float64).sum()) for a, b in pairs)
        errors.append(off / sum(float(np.square(b[name], dtype=np.float64).sum()) for _, b in pairs))
    return float(np.mean(errors))


def gradients(
    module: torch.nn.Module, layers: Layers, feed: Feeds, inputs: Sequence[str], sizes: Sequence[float]
) -> list[dict[str, NDArray[Any]]]:
    """For every random projection of the outputs: layer -> its gradient with respect to what the layer makes.

    Args:
        sizes: of each output: its projections are divided by it.
    """
    probes: dict[str, torch.Tensor] = {}
    named = dict(module.named_modules())

    def hook(layer: str, _: Any, __: Any, made: torch.Tensor) -> torch.Tensor:
        probes[layer] = torch.zeros_like(made, requires_grad=True)
        return made + probes[layer]

    hooks = [named[layer.rpartition("/")[0]].register_forward_hook(partial(hook, layer)) for layer in layers.made]
    try:
        out = module(*(torch.from_numpy(np.asarray(feed[name], order="C")) for name in inputs))
    finally:
        for handle in hooks:
            handle.remove()
    outputs = out if isinstance(out, tuple) else (out,)
    draw, found = torch.Generator().manual_seed(SEED), []
    for _ in range(PROJECTIONS):
        projected = sum(
            (value * torch.randn(value.shape, generator=draw)).sum() / (size * len(sizes) ** 0.5)
            for value, size in zip(outputs, sizes, strict=True)
        )
        made = torch.autograd.grad(projected, list(probes.values()), retain_graph=True)
        found.append({layer: gradient.numpy() for layer, gradient in zip(probes, made, strict=True)})
    return found


def singles(
    subject: Subject, module: torch.nn.Module, inputs: Sequence[str], layers: Layers, feeds: Sequence[Feeds]
) -> dict[tuple[str, str], dict[str, float]]:
    """(layer, form) -> what each kind of prediction says of it alone."""
    names = [value.name for value in subject.graph.graph.output]
    truths = evaluate(subject.graph, feeds, [*names, *layers.made.values()])
    sizes = [float(np.sqrt(sum(np.square(truth[name], dtype=np.float64).sum() for truth in truths))) for name in names]
    slopes = [gradients(module, layers, feed, inputs, sizes) for feed in feeds]
    predicted = {}
    for layer, tensor in layers.made.items():
        alone = onnx.ModelProto()
        alone.CopyFrom(subject.graph)
        alone.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
        for form in layers.forms:
            answers = evaluate(layers.write(alone, {layer: form}), feeds)
            whole = diagonal = 0.0
            for answer, truth, drawn in zip(answers, truths, slopes, strict=True):
                off = (answer[tensor] - truth[tensor]).reshape(-1).astype(np.float64)
                own = [slope[layer].reshape(-1).astype(np.float64) for slope in drawn]
                whole += float(np.mean([(slope @ off) ** 2 for slope in own]))
                diagonal += float(np.mean([np.square(slope * off).sum() for slope in own]))
            trial = squared(answers, truths, names)
            predicted[layer, form] = dict(zip(KINDS, (trial, whole, diagonal), strict=True))
            print(f"{layer} {form}: {', '.join(f'{value**0.5:.3%}' for value in predicted[layer, form].values())}")
    return predicted


def joint(subject: Subject, layers: Layers, count: int) -> tuple[list[dict[str, str]], list[float]]:
    """Random forms of all layers, and the squared error that each draw has on fresh calls."""
    rng, draws, errors = np.random.default_rng(SEED), list[dict[str, str]](), list[float]()
    names = [value.name for value in subject.graph.graph.output]
    truths = evaluate(subject.graph, subject.fresh)
    for _ in range(count):
        share = rng.uniform(0.1, 1.0)
        draws.append({layer: str(rng.choice(layers.forms)) for layer in layers.made if rng.random() < share})
        errors.append(squared(evaluate(layers.write(subject.graph, draws[-1]), subject.fresh), truths, names))
    return draws, errors


def module_of(model: Model, name: str) -> tuple[torch.nn.Module, list[str]]:
    """The fp32 reference of a part, and the names of its inputs in order."""
    folder, _ = fetch(model.weights.sources)
    part = next(part for part in model.network.parts if part.name == name)
    assert part.build is not None
    return part.build(read_checkpoint(folder)).eval(), [spec.name for spec in part.inputs]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--part", required=True)
    parser.add_argument("--calibrate", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--forms", nargs="+", default=("dynamic", "rows", "four-bit"), help="of products")
    parser.add_argument("--counts", type=int, nargs=3, default=(32, 24, 24), metavar=("CALIBRATE", "JUDGE", "CALLS"))
    parser.add_argument("--trials", type=int, default=4, help="calibration calls that predictions are made on")
    parser.add_argument("--draws", type=int, default=30)
    asked = parser.parse_args()
    model = makers(open_bundle(asked.bundle)).model
    counts = Counts(*asked.counts)
    subject = Subject(asked.bundle, asked.part, samples(model, asked.calibrate, asked.judge, counts), counts)
    layers = layers_of(subject, asked.forms)
    module, inputs = module_of(model, asked.part)
    predicted = singles(subject, module, inputs, layers, spread(subject.known, asked.trials))
    draws, errors = joint(subject, layers, asked.draws)
    print(f"\n{model.name}, {asked.part}: {len(layers.made)} layers, {asked.draws} draws, errors of")
    print(f"{min(errors) ** 0.5:.2%} to {max(errors) ** 0.5:.2%}, on {len(subject.fresh)} calls\n")
    print("| prediction | rank correlation | correlation | measured, of predicted (median) |\n|---|---|---|---|")
    for kind in KINDS:
        sums = [sum(predicted[layer, form][kind] for layer, form in draw.items()) for draw in draws]
        ratio = float(np.median(np.array(errors) / np.array(sums)))
        rank, linear = float(spearmanr(sums, errors).statistic), float(pearsonr(sums, errors).statistic)
        print(f"| {kind} | {rank:.3f} | {linear:.3f} | {ratio:.2f} |")


def _silent(*_: int) -> None:
    return None


if __name__ == "__main__":
    main()
