"""How far Core ML programs with smaller weights are from fp32, and how large they are.

    python tests/peers/compare_small_weights.py efficientnet-lite0 all-minilm-l6-v2 [--precisions int8] [--keep none]

Each program is made from the half of the evidence that calibrates, and interpreted on the half that judges, on the
inputs that fp32 gives it. A figure is the root mean square distance of all its outputs together, as a share of theirs.
Fidelity: interpreted. What the gate refuses is named with the reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.toys.references import references

import edgekit
from edgekit.bundles.opened import makers
from edgekit.core import Bundle
from edgekit.errors import EdgekitError
from edgekit.gate.evidence import samples_of_evidence
from edgekit.numerics.parity import Recorder
from edgekit.tasks.resolved import evidence_of, predictor_of

#: Calls of a part that are looked at for each sample: a loop makes many that are alike.
CALLS = 2


def distances(bundle: Bundle) -> dict[str, float]:
    """Part -> distance of its outputs from fp32's on the samples that judge, where these reach it."""
    network, _, runtime = makers(bundle)
    recorders = {name: Recorder(runner) for name, runner in references(network)[0].items()}
    predictor = predictor_of(network, recorders, bundle.path, bundle.manifest.facts)
    runners = {part.name: runtime.load(bundle.path / part.file, 2) for part in bundle.manifest.parts}
    squares = {name: np.zeros(2) for name in runners}
    for sample in samples_of_evidence(evidence_of(network), lambda *_: None):
        predictor.predict(sample.input)
        for name, recorder in recorders.items():
            for feeds, truth in recorder.calls[:CALLS]:
                squares[name] += sum(_squares(runners[name](feeds)[key], value) for key, value in truth.items())
            recorder.calls.clear()
    return {name: float(np.sqrt(off / size)) for name, (off, size) in squares.items() if size}


def _squares(made: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the difference and of the truth."""
    wide = truth.astype(np.float64)
    return np.array([np.square(made - wide).sum(), np.square(wide).sum()]) if truth.dtype.kind == "f" else np.zeros(2)


def rows(model: str, precision: str, keep: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        try:
            options = {"keep": keep} if precision != "fp16" else {}
            bundle = edgekit.export(model, "ios", precision=precision, options=options, out=out, fallback=False)
        except EdgekitError as exc:
            return [f"| {model} | {precision} | refused: {exc.message} | | |"]
        away, lines = distances(bundle), []
        for part in (part for part in bundle.manifest.parts if part.name in away):
            forms = Counter(layer["form"] for layer in part.census["layers"].values())
            size = sum(file.stat().st_size for file in (bundle.path / part.file).rglob("*") if file.is_file())
            told = ", ".join(f"{count} {form}" for form, count in forms.most_common())
            lines.append(
                f"| {model}: {part.name} | {precision} | {away[part.name]:.2%} | {size / 1e6:.2f} MB | {told} |"
            )
        return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--precisions", nargs="+", default=["int8", "int6", "int4"])
    parser.add_argument("--keep", default="measured", choices=["measured", "none"])
    asked = parser.parse_args()
    print("| model: part | precision | away from fp32 | bytes | layers |\n|---|---|---|---|---|")
    for model in asked.models:
        for precision in asked.precisions:
            print(*rows(model, precision, asked.keep), sep="\n", flush=True)


if __name__ == "__main__":
    main()
