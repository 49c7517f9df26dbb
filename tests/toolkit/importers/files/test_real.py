"""Real files of strangers, out of pinned packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import edgekit
from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint, Source, SourceFile
from edgekit.formats.onnx import load, open_file
from edgekit.formats.onnx.translation import translate
from edgekit.importers.resolved import model_of
from edgekit.numerics.parity import relative_error
from edgekit.registry import find, serving
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.resolved import recipe_of, runtime_for
from edgekit.sources import fetch

pytestmark = pytest.mark.real
#: The cache of the run, not that of a test.
CACHE = cache_folder()
_OCR = "pypi://rapidocr-onnxruntime@1.4.4/rapidocr_onnxruntime/models"
_PITCH = "pypi://basic-pitch@0.4.0/basic_pitch/saved_models/icassp_2022"
_HANDS = "pypi://mediapipe@0.10.21/mediapipe/modules"
#: Name -> where it is, its hash and its size.
FILES = {
    "detector": (
        f"{_OCR}/ch_PP-OCRv4_det_infer.onnx",
        "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        4745517,
    ),
    "recogniser": (
        f"{_OCR}/ch_PP-OCRv4_rec_infer.onnx",
        "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        10857958,
    ),
    "angles": (
        f"{_OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        585532,
    ),
    "pitch": (f"{_PITCH}/nmp.onnx", "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec", 230444),
    "pitch-tflite": (
        f"{_PITCH}/nmp.tflite",
        "3db297d54af8e01c6e5618245c956b1d71b6a2b978cb2dedb527173186552676",
        204448,
    ),
    "voice-activity": (
        "pypi://silero-vad@6.2.3/silero_vad/data/silero_vad_16k_op15.onnx",
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        1289603,
    ),
    "faces": (
        f"{_HANDS}/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        229714,
    ),
    "hands": (
        f"{_HANDS}/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        5478917,
    ),
}
#: ONNX file -> sizes of its dynamic axes.
GRAPHS = {
    "detector": {"p2o.DynamicDimension.1": 160, "p2o.DynamicDimension.2": 224},
    "recogniser": {"x.2": 48, "p2o.DynamicDimension.1": 160},
    "angles": {"x.2": 48, "x.3": 192},
    "pitch": {},
    "voice-activity": {"sequence": 576},
}


def fetched(name: str) -> Path:
    piece, digest, size = FILES[name]
    file = piece.rpartition("/")[2]
    folder, _ = fetch([Source(piece, "", "", (SourceFile(file, digest, size, (piece,)),))], cache=CACHE)
    return folder / file


@pytest.mark.parametrize("name", GRAPHS)
def test_a_translation_equals_onnxruntime(name: str) -> None:
    file, random = fetched(name), np.random.default_rng(0)
    feeds: dict[str, NDArray[Any]] = {}
    for spec in open_file(file).facts.inputs:
        shape = [size if isinstance(size, int) else GRAPHS[name].get(size, 1) for size in spec.shape]
        values = random.standard_normal(shape) if spec.dtype == "float32" else np.full(shape, 16_000)
        feeds[spec.name] = np.asarray(values, spec.dtype)
    model = load(file)
    wanted = OnnxRunner(model.SerializeToString(), 2)(feeds)
    tensors = [torch.from_numpy(array) for array in feeds.values()]
    made = translate(model, tensors)(*tensors)
    for answer, truth in zip(made if isinstance(made, tuple) else (made,), wanted.values(), strict=True):
        np.testing.assert_allclose(answer.numpy(), truth, atol=1e-4)


def test_pitch_for_litert_equals_its_authors_own_file(tmp_path: Path) -> None:
    ours = _made(fetched("pitch"), "litert", tmp_path)
    own, checkpoint = model_of(str(fetched("pitch-tflite"))), Checkpoint(fetched("pitch-tflite"), "tflite", {}, {}, {})
    theirs = find("exporters", "litert").reference(own, checkpoint, tmp_path, lambda *_: None)["network"]
    # The file's axis of batches is dynamic; LiteRT calls it 1.
    sound = np.random.default_rng(0).standard_normal((1, 43844, 1)).astype(np.float32)
    wanted = theirs({theirs.inputs[0].name: sound})
    assert relative_error([ours({ours.inputs[0].name: sound})], [wanted]) < 1e-6


def _made(file: Path, exporter: str, folder: Path) -> Any:
    model = serving(model_of(str(file)), exporter)
    out, work = folder / "out", folder / "work"
    out.mkdir()
    work.mkdir()
    checkpoint = Checkpoint(file, "onnx", {}, {}, {})
    entry = find("exporters", exporter)
    [artifact] = entry.export(
        model, checkpoint, recipe_of(runtime_for(exporter), "fp32"), {}, out, work, lambda *_: None
    )
    return find("runtimes", runtime_for(exporter)).load(out / artifact.file, 1)


@pytest.mark.parametrize("name", ["faces", "hands"])
def test_networks_of_mediapipe_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    bundle = edgekit.export(str(fetched(name)), target="android", out=tmp_path / "out")
    assert bundle.manifest.recipe.exporter == "litert"
    assert bundle.manifest.recipe.precision == "fp16"
