"""Weights of a .tflite rounded by the inputs of their layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.litert_cases import IMAGE, export, pictures
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec
from edgekit.exporters.litert import file, rounding
from edgekit.exporters.litert.watch import Watcher
from edgekit.runtimes.litert.runner import LitertRunner

SPECS = (IMAGE.inputs, IMAGE.outputs)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("float")
    export(folder, "fp32")
    return (folder / "image.tflite").read_bytes()


def coloured() -> list[Feeds]:
    """Pictures whose channels differ in mean and go together, as those of photographs do."""
    mix = np.array([[1.0, 0.8, 0.7], [0.1, 0.4, 0.3], [0.0, 0.1, 0.2]], np.float32)
    return [{"pixels": feed["pixels"] @ mix + np.float32(0.4)} for feed in pictures(40)]


def rounded(content: bytes, feeds: list[Feeds], **options: Any) -> bytes:
    return rounding.round_weights(content, lambda c: Watcher(c, SPECS, 1), feeds, lambda i, n: None, **options)


def layers(content: bytes) -> dict[str, tuple[NDArray[Any], int]]:
    """Layer -> weights, and the axis of its outputs."""
    model = file.parse(content)
    found = {}
    for name, _, _, weights, _, axis in file.weighted_operators(model):
        values = file.constant(model, model.subgraphs[0], weights)
        assert values is not None
        found[name] = values, axis
    return found


@pytest.mark.parametrize("per_channel", [True, False])
def test_every_weight_lies_on_the_grid_of_its_output(content: bytes, per_channel: bool) -> None:
    made = layers(rounded(content, coloured(), per_channel=per_channel))
    assert made.keys() == layers(content).keys()
    for name, (values, axis) in made.items():
        rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
        steps = rows / (np.abs(rows).max(axis=1 if per_channel else None, keepdims=True) / 127)
        assert np.abs(steps - np.rint(steps)).max() < 1e-3, name


def test_means_stay_and_errors_shrink(content: bytes) -> None:
    """The bias takes up what rounding shifts, at the borders of a padded image too; so mean outputs are the same."""
    feeds = coloured()
    before, after = (LitertRunner(c, 1, SPECS) for c in (content, rounded(content, feeds, per_channel=False)))
    truth = np.concatenate([before(feed)["scores"] for feed in feeds])
    ours = np.concatenate([after(feed)["scores"] for feed in feeds])
    nearest = np.concatenate([LitertRunner(to_nearest(content), 1, SPECS)(feed)["scores"] for feed in feeds])
    assert np.abs(ours.mean(0) - truth.mean(0)).max() < 0.3 * np.abs(nearest.mean(0) - truth.mean(0)).max()
    assert np.square(ours - truth).mean() < 0.5 * np.square(nearest - truth).mean()


class Spectrum(nn.Module):
    """One channel of input: LiteRT makes a depthwise convolution of it, with as many outputs as the kernel has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(1, 8, (5, 3), stride=(2, 1), padding=(2, 1))

    def forward(self, sound: Tensor) -> Tensor:
        made: Tensor = self.conv(sound.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return made


SPECTRUM = Part(
    "spectrum",
    (TensorSpec("sound", "float32", (1, 13, 9, 1)),),
    (TensorSpec("made", "float32", (1, 7, 9, 8)),),
    {},
    lambda checkpoint: Spectrum(),
)


def test_one_channel_of_input(tmp_path: Path) -> None:
    export(tmp_path, "fp32", part=SPECTRUM, calibration=[])
    content, specs = (tmp_path / "spectrum.tflite").read_bytes(), (SPECTRUM.inputs, SPECTRUM.outputs)
    assert [kind for _, kind, *_ in file.weighted_operators(file.parse(content))] == ["DEPTHWISE_CONV_2D"]
    rng = np.random.default_rng(0)
    feeds: list[Feeds] = [{"sound": rng.uniform(0.2, 1.0, (1, 13, 9, 1)).astype(np.float32)} for _ in range(40)]
    made = rounding.round_weights(content, lambda c: Watcher(c, specs, 1), feeds, lambda i, n: None)
    truth, ours, near = (
        np.concatenate([LitertRunner(c, 1, specs)(feed)["made"] for feed in feeds])
        for c in (content, made, to_nearest(content))
    )
    assert np.abs((ours - truth).mean((0, 1, 2))).max() < 0.3 * np.abs((near - truth).mean((0, 1, 2))).max()


def to_nearest(content: bytes) -> bytes:
    """Weights with a scale a layer, each to the nearest step."""
    model = file.parse(content)
    for _, _, _, weights, _, _ in file.weighted_operators(model):
        values = file.constant(model, model.subgraphs[0], weights)
        assert values is not None
        step = np.abs(values).max() / 127
        file.store(model, weights, np.rint(values / step) * step)
    return file.pack(model)


def test_the_quantizer_rounds_each_weight_to_itself(tmp_path: Path, content: bytes) -> None:
    feeds = coloured()
    export(tmp_path, "int8", calibration=feeds)
    wanted = layers(rounded(content, feeds))
    made = file.parse((tmp_path / "image.tflite").read_bytes())
    found = list(file.weighted_operators(made))
    assert len(found) == len(wanted)
    for (name, (values, axis)), (_, _, _, weights, _, _) in zip(wanted.items(), found, strict=True):
        held, tensor = file.constant(made, made.subgraphs[0], weights), made.subgraphs[0].tensors[weights]
        assert held is not None and held.dtype == np.int8
        shape = [1] * values.ndim
        shape[axis] = -1
        real = held.astype(np.float32) * np.array(tensor.quantization.scale, np.float32).reshape(shape)
        assert np.abs(real - values).max() < 2e-3 * np.abs(values).max(), name
