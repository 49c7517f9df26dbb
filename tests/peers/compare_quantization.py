"""What each technique of quantization gains, alone and together: error, agreement and time of a part in every form.

    python tests/peers/compare_quantization.py BUNDLE [--parts encoder] [--calibrate FOLDER] [--judge FOLDER]

BUNDLE is an fp32 bundle for laptop of any model of the registry; the folders hold samples of its task (docs/data.md).
Without them the halves of its evidence calibrate and are judged. Parts of convolutions get static int8, with every kind
of range; products of other parts get one form, all of them the same. Error: of the output that moves most, over all
judged calls together. Agreement: as the task compares answers. Time, with `--rounds`: the median of ratios to fp32, in
turns, on `--threads` threads.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import onnx

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from _quantizing import Counts, Subject, samples  # noqa: E402

from edgekit.bundles.bundle import open_bundle  # noqa: E402
from edgekit.bundles.opened import makers  # noqa: E402
from edgekit.core import Feeds  # noqa: E402
from edgekit.exporters.onnx import finding, linear, products, residual  # noqa: E402
from edgekit.exporters.onnx.choice.weights import record_inputs  # noqa: E402
from edgekit.exporters.onnx.convolutions import evened, places, qdq, rounding  # noqa: E402
from edgekit.quantization.ranges import METHODS, Histograms  # noqa: E402
from edgekit.runtimes.onnxruntime.runner import OnnxRunner, open_model  # noqa: E402

FORMS = ("dynamic", "rows", "blockwise", "four-bit")
#: Forms in which one scale serves channels of unlike sizes, so that equalization may help.
EQUALIZED = ("dynamic", "rows")
#: Techniques, the form, and the graph.
Variant = tuple[str, str, onnx.ModelProto]


def of_products(subject: Subject, forms: list[str]) -> Iterator[Variant]:
    """Rotation, equalization and GPTQ for every form."""
    for rotated, equalized in itertools.product((False, True), repeat=2):
        model, why = residual.rotate_stream(subject.graph) if rotated else (subject.graph, "")
        if why:
            print(f"not rotated: {why}", file=sys.stderr)
            continue
        nodes = [product.node for product in finding.products(model) if not product.node.endswith("/turn")]
        model = linear.equalize_inputs(model, nodes, subject.known) if equalized else model
        by_inputs = record_inputs(model, nodes, subject.known)
        for compensated, form in itertools.product((False, True), forms):
            if equalized and form not in EQUALIZED:
                continue
            names = {"rotated": rotated, "equalized": equalized, "GPTQ": compensated}
            made = products.quantize(model, dict.fromkeys(nodes, form), by_inputs if compensated else None)
            yield ", ".join(name for name, used in names.items() if used) or "nearest", form, made


def of_convolutions(subject: Subject) -> Iterator[Variant]:
    """Channels evened out and GPTQ, for every kind of range, and for weights with a scale a channel or one."""
    even = evened.equalize_channels(subject.source, subject.known)
    graphs = {"": subject.graph} | ({"evened": places.rewrite_for_int8(even)} if even is not None else {})
    for (name, model), per_channel in itertools.product(graphs.items(), (True, False)):
        there = places.places(model)
        runner = open_model(model, there.tensors_to_calibrate, threads=1)
        ranges = Histograms(runner, subject.known, _silent).ranges
        by_inputs = rounding.round_products(there, subject.known, _silent, per_channel=per_channel)
        for compensated, method in itertools.product((False, True), METHODS):
            rounded = by_inputs if compensated else None
            made = qdq.quantize(there, ranges(method), per_channel=per_channel, rounded=rounded)
            form = f"static, {method}, {'per channel' if per_channel else 'per tensor'}"
            names = [name, "GPTQ" if compensated else ""]
            yield ", ".join(filter(None, names)) or "nearest", form, made


def times(made: onnx.ModelProto, model: onnx.ModelProto, feeds: Feeds, rounds: int, threads: int) -> str:
    """The median ratio of the times of two graphs, in turns."""
    if not rounds:
        return "not measured"
    runners = [OnnxRunner(graph.SerializeToString(), threads) for graph in (made, model)]
    ratios = []
    for i in range(rounds + 2):
        took = [0.0, 0.0]
        for j in (0, 1) if i % 2 else (1, 0):
            began = time.perf_counter()
            runners[j](feeds)
            took[j] = time.perf_counter() - began
        ratios.append(took[0] / took[1])
    return f"{median(ratios[2:]):.2f}"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--calibrate", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--parts", nargs="+", help="default: all parts that are quantized")
    parser.add_argument("--forms", nargs="+", default=FORMS, help="of products")
    parser.add_argument("--counts", type=int, nargs=3, default=(32, 24, 24), metavar=("CALIBRATE", "JUDGE", "CALLS"))
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    model = makers(open_bundle(asked.bundle)).model
    counts = Counts(*asked.counts)
    chosen = samples(model, asked.calibrate, asked.judge, counts)
    for part in asked.parts or [part.name for part in model.network.parts if part.quantize]:
        subject = Subject(asked.bundle, part, chosen, counts)
        print(f"\n{model.name}, {part}: calibrated by {len(subject.known)} calls, {len(subject.fresh)} are judged\n")
        print("| techniques | form | error | the same answers | MB | time, of fp32's |\n|---|---|---|---|---|---|")
        for techniques, form, made in of_convolutions(subject) if subject.static else of_products(subject, asked.forms):
            ratio = times(made, subject.graph, subject.fresh[len(subject.fresh) // 2], asked.rounds, asked.threads)
            size = len(made.SerializeToString()) / 1e6
            row = (techniques, form, f"{subject.error(made):.2%}", subject.agreed(made), f"{size:.1f}", ratio)
            print(f"| {' | '.join(row)} |", flush=True)


def _silent(*_: int) -> None:
    return None


if __name__ == "__main__":
    main()
