"""A litert bundle of one convolution of bytes, whose callers see float32, and calls that a golden input could make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from helpers.cases.tflite_models import Case, product
from numpy.typing import NDArray

from edgekit.core import TensorSpec
from edgekit.formats.tflite import reader
from edgekit.formats.tflite.tensors import describe, encode_value
from edgekit.numerics.parity import sample_outputs
from edgekit.runtimes.litert import runner as litert_runner

SHAPE = (1, 6, 5, 4)

Calls = dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]


def toy_bundle(folder: Path) -> Path:
    """Only what a target looks at."""
    (folder / "toy.tflite").write_bytes(product(Case(seed=3, height=6, width=5, channels=4), "CONV_2D"))
    specs = [TensorSpec("picture", "float32", SHAPE)], [TensorSpec("said", "float32", (1, 6, 5, 3))]
    (folder / "toy.json").write_text(describe(*specs))
    facts = {
        "recipe": {"exporter": "litert", "precision": "int8"},
        "parts": [{"name": "toy", "file": "toy.tflite", "census": {"layers": {"a": {"form": "static"}}}}],
        "golden": {"reference": "reference.npz"},
    }
    (folder / "manifest.json").write_text(json.dumps(facts))
    np.savez(
        folder / "reference.npz", **{f"toy/{key}": one for key, one in sample_outputs(calls(folder)["toy"]).items()}
    )
    return folder


def calls(bundle: Path, count: int = 2) -> Calls:
    runner = litert_runner.load(bundle / "toy.tflite", 1)
    rng = np.random.default_rng(0)
    feeds = [{"picture": rng.uniform(-6, 6, SHAPE).astype(np.float32)} for _ in range(count)]
    return {"toy": [(one, runner(one)) for one in feeds]}


def held(bundle: Path, said: NDArray[np.float32]) -> NDArray[np.int8]:
    """An answer as the file itself has it."""
    graph = reader.read((bundle / "toy.tflite").read_bytes()).subgraphs[0]
    steps = graph.tensors[graph.outputs[0]].quantization
    assert steps is not None
    made: NDArray[np.int8] = encode_value(said, np.dtype(np.int8), (steps.scale[0], steps.zero_point[0]), "said")
    return made
