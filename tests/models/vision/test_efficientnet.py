"""EfficientNet-Lite0: shapes, whose weights fit, what is done to a picture; and the real weights on real photos."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.devices.old_x86 import answers_on
from PIL import Image

import edgekit
from edgekit.core import Bundle, Checkpoint
from edgekit.errors import BadInput
from edgekit.models.common.padding import amounts
from edgekit.models.vision.networks.efficientnet import ConvNorm, Lite0, network
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.tasks import image_classification as pipeline
from edgekit.tasks.common import pictures

MODEL = find("models", "efficientnet-lite0")


@pytest.fixture(scope="module")
def tensors() -> dict[str, Any]:
    torch.manual_seed(0)
    return {f"theirs.{i}": value.numpy() for i, value in enumerate(Lite0().state_dict().values())}


def test_shapes_and_parameters(tensors: dict[str, Any]) -> None:
    module = network({name: value for name, value in tensors.items() if value.ndim})
    assert sum(p.numel() for p in module.parameters()) == MODEL.network.parameters
    part = MODEL.network.parts[0]
    pixels = torch.zeros(part.inputs[0].shape, dtype=torch.uint8)
    with torch.inference_mode():
        assert module(pixels).shape == part.outputs[0].shape


def test_weights_are_taken_in_order_whatever_they_are_called(tensors: dict[str, Any]) -> None:
    given = {name: value for name, value in tensors.items() if value.ndim}
    state = [value for value in network(given).state_dict().values() if value.ndim]
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(state, given.values(), strict=True))


def test_other_weights_are_refused(tensors: dict[str, Any]) -> None:
    given = {name: value for name, value in tensors.items() if value.ndim}
    first = next(iter(given))
    with pytest.raises(BadInput, match=r"theirs\.0.*32, 3, 3, 3"):
        network({**given, first: np.zeros((3, 3), np.float32)})
    with pytest.raises(BadInput, match="tensors"):
        network({first: given[first]})


@pytest.mark.parametrize(("height", "width"), [(224, 224), (112, 112), (7, 7)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (5, 1)])
def test_padding_is_tensorflows(height: int, width: int, kernel: int, stride: int) -> None:
    layer = ConvNorm(1, 1, kernel, stride).eval()
    out = layer(torch.zeros(1, 1, height, width))
    assert out.shape[2:] == (-(-height // stride), -(-width // stride))
    before, after = amounts(height, kernel, stride)
    assert after - before in (0, 1)


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (256, 256), (100, 333), (1024, 300)])
def test_the_middle_of_the_picture(size: tuple[int, int]) -> None:
    image = picture(*size)
    short = min(size)
    resized = image.resize((256 * size[0] // short, 256 * size[1] // short), Image.Resampling.BICUBIC)
    left, top = round((resized.width - 224) / 2), round((resized.height - 224) / 2)
    expected = np.asarray(resized)[top : top + 224, left : left + 224]
    assert np.array_equal(pictures.resize_and_crop(image, 256, 224, 224), expected)


@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (2, 30_000)])
def test_extreme_pictures(size: tuple[int, int]) -> None:
    assert pictures.resize_and_crop(Image.new("RGB", size, (9, 8, 7)), 256, 224, 224).tolist()[100][100] == [9, 8, 7]


def test_a_long_picture_is_its_middle() -> None:
    """Cutting first, to save memory, changes nothing that remains."""
    image = picture(900, 100)
    whole = image.resize((256 * 9, 256), Image.Resampling.BICUBIC)
    left = round((whole.width - 224) / 2)
    expected = np.asarray(whole)[16:240, left : left + 224].astype(int)
    assert np.abs(pictures.resize_and_crop(image, 256, 224, 224).astype(int) - expected).max() <= 1


def test_labels_and_facts(tmp_path: Path, tensors: dict[str, Any]) -> None:
    given = {name: value for name, value in tensors.items() if value.ndim}
    facts = MODEL.weights.prepare(Checkpoint(tmp_path, "pytorch", given, {}, {}), tmp_path)
    json.dumps(facts)
    labels = facts["labels"]
    assert len(set(labels)) == 1000
    assert (labels[0], labels[207], labels[967], labels[999]) == (
        "tench",
        "golden retriever",
        "espresso",
        "toilet tissue",
    )


def test_probabilities_of_logits() -> None:
    class Network:
        inputs, outputs = MODEL.network.parts[0].inputs, MODEL.network.parts[0].outputs

        def __call__(self, feeds: Any) -> Any:
            assert feeds["pixels"].dtype == np.uint8
            logits = np.full((1, 1000), -1000, np.float32)
            logits[0, 7], logits[0, 8] = 100, 100 + np.log(3)
            return {"logits": logits}

    facts = {"height": 224, "width": 224, "activation": "softmax", "labels": list(map(str, range(1000)))}
    classifier = pipeline.Classifier({"network": Network()}, Path(), {**facts, "resize": {"short_side": 256}})
    found = classifier.predict(np.zeros((30, 40, 3), np.uint8), top=2)
    assert found.output == "8"
    assert [entry["score"] for entry in found.details["scores"]] == [pytest.approx(p, abs=1e-4) for p in (0.75, 0.25)]


# --- real weights ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every fifth photo for calibration, and 100 of the others for the test."""
    source = shared_data / "imagenet-sample"
    with (source / "labels.csv").open(newline="") as file:
        rows = [(row["file"], row["class_index"]) for row in csv.DictReader(file)]
    folders = {}
    for name, chosen in (("calibration", rows[::5]), ("test", rows[1::5])):
        folders[name] = folder = tmp_path_factory.mktemp(name)
        (folder / "images").symlink_to(source / "images")
        with (folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "class_index"), *chosen])
    return folders


@pytest.fixture(scope="module")
def int8(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundle") / "int8"
    return edgekit.export(
        MODEL.name,
        "laptop",
        calibration=photos["calibration"],
        data=photos["test"],
        out=out,
        fallback=False,
        evidence=False,
    )


@pytest.mark.real
def test_int8_is_as_good_as_float(int8: Bundle) -> None:
    gate = int8.manifest.gate
    assert gate.samples == 100
    assert gate.value >= 0.80
    assert gate.reference - gate.value <= 0.02
    assert int8.manifest.golden.output == int8.manifest.golden.reference_output == "espresso"
    census = int8.manifest.parts[0].census
    assert (census["weighted_int8"], census["weighted_float"]) == (48, 2)
    assert census["calibration"]["fused"]["QLinearConv"] == 47
    assert census["calibration"]["samples"] == 101
    assert (int8.path / "network.onnx").stat().st_size <= 1.03 * MODEL.network.parameters
    assert edgekit.verify(int8.path)["parity"]["network"] < 0.25


@pytest.mark.real
def test_int8_gives_the_same_answers_on_an_old_processor(int8: Bundle, shared_data: Path) -> None:
    """One with AVX2 and no VNNI, emulated: two seconds a photo. Sums that saturate there move the logits of every photo
    by more than a half, and the label of every fourth."""
    photos = sorted((shared_data / "imagenet-sample" / "images").iterdir())[::17][:4]
    rule = {"short_side": 256}
    calls = [pictures.pixels_of(photo, rule, 224, 224)[0].reshape(1, 224, 224, 3) for photo in photos]
    file = int8.path / "network.onnx"
    runner = OnnxRunner(file, 1)
    here = np.concatenate([runner({"pixels": call})["logits"] for call in calls])
    assert len(here) == 4 and np.ptp(here, axis=1).min() > 5
    np.testing.assert_allclose(answers_on("Haswell", file, calls), here, rtol=0, atol=0.01)


@pytest.mark.real
def test_int8_without_photos_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least 8") as caught:
        edgekit.export(MODEL.name, "laptop", precision="int8", evidence=False, out=tmp_path / "bundle")
    assert "--calibration DIR" in str(caught.value.hint)
    assert not (tmp_path / "bundle").exists()
