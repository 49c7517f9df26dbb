"""A quick real export of every family and every format: real weights, one sample, and what the bundle says of itself.

`make test` runs these beside the fast tests. How good the bundles are is asked elsewhere (`real`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import absent

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.errors import MissingExtra
from edgekit.registry import find, names

pytestmark = [pytest.mark.quick, pytest.mark.real]


class Quick(NamedTuple):
    """The smallest model of a family, its target, and a runtime of it."""

    model: str
    target: str
    runtime: str
    precision: str = "int8"


#: Family, which is the folder of a model's declaration -> its export. Together they write every format.
QUICK: Mapping[str, Quick] = {
    "language": Quick("smollm2-135m", "laptop", "llama-cpp", "q4_k_m"),
    "fashion": Quick("vit-fashion", "laptop", "onnxruntime"),
    "forecasting": Quick("fracast", "laptop", "onnxruntime", "fp16"),
    "keyword": Quick("ds-cnn-kws", "cortex-m55", "qemu"),
    "mediapipe": Quick("blazeface", "ios", "coreml", "fp16"),
    "music": Quick("basic-pitch", "laptop", "onnxruntime"),
    "policy": Quick("half-cheetah-policy", "ios", "coreai", "fp32"),
    "ppocr": Quick("pp-ocr-v4", "laptop", "onnxruntime", "fp16"),
    "protein": Quick("proteinmpnn", "laptop", "onnxruntime"),
    "recommender": Quick("two-tower-movielens", "android", "executorch"),
    "sentences": Quick("all-minilm-l6-v2", "laptop", "openvino"),
    "silero": Quick("silero-vad", "web", "onnxruntime-web", "fp32"),
    "speaker": Quick("ge2e-speaker", "laptop", "onnxruntime"),
    "vision": Quick("mobilenet-v1-025-vww", "android", "litert", "fp16"),
    "vits": Quick("piper-joe", "laptop", "onnxruntime", "fp16"),
    "whisper": Quick("whisper-tiny-en", "laptop", "onnxruntime"),
}


def folder_of(model: str) -> str:
    """The folder below models/ that declares a model; "" for one that is data alone."""
    specs = importlib.util.find_spec("edgekit.models")
    assert specs is not None and specs.submodule_search_locations
    root = Path(specs.submodule_search_locations[0])
    found = [path for path in root.rglob(f"{model.replace('-', '_')}.py") if path.parent != root]
    return found[0].relative_to(root).parts[0] if found else ""


def test_every_family_and_every_format_is_exported() -> None:
    assert {folder_of(name) for name in names("models")} - {""} == set(QUICK)
    assert {family: folder_of(quick.model) for family, quick in QUICK.items()} == {family: family for family in QUICK}
    formats = {name for quick in QUICK.values() for name in find("runtimes", quick.runtime).formats}
    assert formats == set(names("exporters"))


@pytest.mark.parametrize("family", QUICK)
def test_it_is_exported_and_verified(family: str, tmp_path: Path) -> None:
    model, target, runtime, precision = QUICK[family]
    try:
        bundle = edgekit.export(
            model, target, runtime=runtime, precision=precision, evidence=False, fallback=False, out=tmp_path / "bundle"
        )
    except MissingExtra as exc:
        absent(str(exc))
    manifest = open_bundle(bundle.path).manifest
    assert (manifest.recipe.runtime, manifest.recipe.precision) == (runtime, precision)
    proof = edgekit.verify(bundle.path)
    assert set(proof["parity"]) == {part.name for part in manifest.parts}
    assert manifest.golden.output
