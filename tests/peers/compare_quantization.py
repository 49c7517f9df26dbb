"""What each technique of quantization gains, alone and together: error and time of a part in every form.

    python tests/peers/compare_quantization.py BUNDLE --calibrate SOUNDS --judge OTHER_SOUNDS --parts encoder

BUNDLE is an fp32 bundle for laptop; the folders hold inputs of its task (`--count` of each, evenly spaced). All
products of a part get the same form. Error: of the output that moves most, the mean of the calls. Time: the median of
ratios to fp32, in turns, on `--threads` threads.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx

import edgekit
from edgekit.core import Feeds
from edgekit.exporters.onnx import linear, products, residual
from edgekit.formats.onnx.runner import OnnxRunner, evaluate
from edgekit.numerics.parity import Recorder, relative_error
from edgekit.quantization.candidates import pooled

FORMS = ("dynamic", "rows", "blockwise", "four-bit")
#: Calls of a part that are judged.
CALLS = 24


def calls(bundle: Path, folder: Path, count: int, threads: int) -> dict[str, list[Feeds]]:
    """Part -> its inputs while the bundle answers `count` samples below `folder`."""
    recorders: dict[str, Recorder] = {}
    predictor = edgekit.load(
        bundle, threads=threads, wrap=lambda name, runner: recorders.setdefault(name, Recorder(runner))
    )
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".flac", ".wav", ".jpg", ".png"))
    for i in range(min(count, len(files))):
        predictor.predict(files[i * len(files) // min(count, len(files))])
    return {name: [feeds for feeds, _ in recorder.calls] for name, recorder in recorders.items()}


def variants(model: onnx.ModelProto, feeds: Sequence[Feeds]) -> Any:
    """(rotated, GPTQ, form, graph) for all of them."""
    for turn in (False, True):
        graph, why = residual.rotated(model) if turn else (model, "")
        if why:
            print(f"not rotated: {why}")
            continue
        nodes = [product.node for product in products.products(graph) if not product.node.endswith("/turn")]
        by_inputs = products.recorded(graph, nodes, feeds)
        for compensated, form in itertools.product((False, True), FORMS):
            weights = by_inputs if compensated else products.Weights()
            forms = dict.fromkeys(nodes, form)
            yield turn, compensated, form, products.quantize(graph, forms, weights)


def times(made: onnx.ModelProto, model: onnx.ModelProto, feeds: Feeds, rounds: int, threads: int) -> float:
    """The median ratio of the times of two graphs, in turns."""
    runners = [OnnxRunner(one.SerializeToString(), threads) for one in (made, model)]
    ratios = []
    for i in range(rounds + 2):
        took = [0.0, 0.0]
        for j in (0, 1) if i % 2 else (1, 0):
            began = time.perf_counter()
            runners[j](feeds)
            took[j] = time.perf_counter() - began
        ratios.append(took[0] / took[1])
    return median(ratios[2:])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--calibrate", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", required=True)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    known, fresh = (
        calls(asked.bundle, folder, asked.count, asked.threads) for folder in (asked.calibrate, asked.judge)
    )
    for part in asked.parts:
        model = linear.with_products(onnx.load(asked.bundle / f"{part}.onnx"))
        judged = fresh[part][:: -(-len(fresh[part]) // CALLS)]
        truth = evaluate(model, judged)
        print(f"\n{part}: {len(judged)} calls\n")
        print("| rotated | GPTQ | form | error | MB | time of fp32's |\n|---|---|---|---|---|---|")
        for turn, compensated, form, made in variants(model, known[part]):
            answers = evaluate(made, judged)
            error = np.mean([relative_error([pooled([a])], [pooled([b])]) for a, b in zip(answers, truth, strict=True)])
            size = len(made.SerializeToString()) / 1e6
            ratio = times(made, model, judged[len(judged) // 2], asked.rounds, asked.threads)
            marks = ["yes" if one else "" for one in (turn, compensated)]
            print(f"| {marks[0]} | {marks[1]} | {form} | {error:.2%} | {size:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
