"""SmolLM2-135M on WikiText-2: a layer's matrices lose about half of what they do with an importance matrix alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import absent
from helpers.cases.ggml import dequantized

from edgekit.exporters.gguf.quantize import quantize
from edgekit.exporters.gguf.rounding.inputs import record
from edgekit.exporters.gguf.rounding.matrices import Curvature, round_matrix
from edgekit.formats import gguf
from edgekit.llama import library
from edgekit.runtimes.llama_cpp import RUNTIME

LAYER = "blk.10."


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.real
def test_a_layer_loses_less_than_with_an_importance_matrix(shared_data: Path, tmp_path: Path) -> None:
    from edgekit.registry import find
    from edgekit.sources.fetching import fetch

    if not library.state()[0]:
        absent(f"llama.cpp is not here: {library.BUILD}")
    folder, declared = fetch(find("models", "smollm2-135m").weights.sources[-1:])
    packed = next(folder / file.name for file in declared.files if file.name.endswith(".gguf"))
    source, plain = tmp_path / "f16.gguf", tmp_path / "q4_0.gguf"
    quantize(packed, source, "f16")
    text = (shared_data / "wikitext-2" / "valid.txt").read_text(encoding="utf-8")[:20000]
    tokens = np.array(RUNTIME.load(source, 1).tokenize(text), np.int32)
    layer = [tensor for tensor in gguf.read(source).tensors if tensor.name.startswith(LAYER) and len(tensor.shape) == 2]
    known = record(source, layer, [tokens], 1, 4, tmp_path / "hessians", silent)
    quantize(source, plain, "q4_0", known.importance())
    theirs = {tensor.name: tensor for tensor in gguf.read(plain).tensors}
    ratios = {}
    for tensor in layer:
        weights, place = np.fromfile(source, np.float16, tensor.count, offset=tensor.offset), theirs[tensor.name]
        truth = weights.reshape(tensor.shape[::-1]).astype(np.float32)
        raw = np.fromfile(plain, np.uint8, place.size, offset=place.offset).reshape(place.shape[1], -1)
        curvature = Curvature.of(known[tensor.name])
        made = round_matrix(place.type, truth, curvature).weights(), dequantized(raw, place.type)
        own, other = (float(curvature.losses((one - truth).T).sum()) for one in made)
        ratios[tensor.name.removeprefix(LAYER)] = own / other
    assert len(ratios) == 7
    assert max(ratios.values()) < 0.7 and np.mean(list(ratios.values())) < 0.55, ratios
