"""The ExecuTorch exporter: both precisions, dynamic axes, the census, the description, refusals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.absence import skip_without
from helpers.cases.executorch_cases import LONG, Sound, export, sounds
from helpers.toys.tiny_vision import LAYERS, PART, SIZE, Tiny, pictures
from torch import Tensor, nn

from edgekit.core import Artifact, Exporter, Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed, Unsupported
from edgekit.exporters.executorch import EXPORTER
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.executorch import RUNTIME
from edgekit.runtimes.torch.runner import TorchRunner

pytestmark = pytest.mark.thorough

skip_without("executorch", "executorch is")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("executorch")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Artifact]:
    return {p: export(folder / p, p, feeds=pictures(40)) for p in EXPORTER.precisions}


def load(made: dict[str, Artifact], folder: Path, precision: str) -> Any:
    return RUNTIME.load(folder / precision / "out" / made[precision].file, 1)


# --- what every exporter owes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("int8", 0.05)])
def test_it_answers_like_the_reference(made: dict[str, Artifact], folder: Path, precision: str, most: float) -> None:
    assert isinstance(EXPORTER, Exporter)
    runner, reference = load(made, folder, precision), TorchRunner(PART, Tiny())
    assert (runner.inputs, runner.outputs) == (PART.inputs, PART.outputs)
    fresh = pictures(20, seed=5)
    found, wanted = (np.concatenate([run(feed)["logits"] for feed in fresh]) for run in (runner, reference))
    assert found.dtype == np.float32
    assert relative_error([{"logits": found}], [{"logits": wanted}]) < most


def test_int8_is_int8(made: dict[str, Artifact]) -> None:
    whole, float_ = made["int8"].census, made["fp32"].census
    assert (whole["weighted_int8"], whole["weighted_float"], whole["float_activations"]) == (LAYERS, 0, 0)
    assert (float_["weighted_int8"], float_["weighted_float"]) == (0, LAYERS)
    weights = sum(p.numel() for p in Tiny().parameters() if p.ndim > 1)
    assert whole["bytes"]["int8"] == weights
    assert 4 * weights < float_["bytes"]["float32"] < 4 * weights + 1000
    assert set(whole["layers"]) == {"first", "depthwise", "linear", "wide", "head"}
    assert {layer["form"] for layer in whole["layers"].values()} == {"static"}
    assert (whole["compute"], float_["compute"], float_["layers"]) == ("int8", "fp32", {})


def test_xnnpack_computes_all_but_the_cast_of_pixels(made: dict[str, Artifact]) -> None:
    """A ReLU6 is part of its layer, a mean is a pooling; between int8 layers nothing is converted."""
    for artifact in made.values():
        assert artifact.census["portable_operators"] == {"dim_order_ops::_to_dim_order_copy.out": 1}
        assert list(artifact.census["fallback"]) == ["_to_dim_order_copy.out"]
        assert "Clamp" not in artifact.census["operators"]
        assert artifact.census["operators"]["GlobalAvgPooling2d"] == 1
    assert made["int8"].census["operators"]["Convert"] == 2


def test_the_choice_is_told(made: dict[str, Artifact]) -> None:
    choice = made["int8"].census["choice"]
    assert choice["samples"] == 40
    assert f"static ({choice['ranges']})" in choice["errors"]
    assert {"static (min-max)", "static (percentile)"} <= set(choice["errors"])


def test_a_layer_that_stays_float(tmp_path: Path) -> None:
    layers = export(tmp_path, "int8", feeds=pictures(40), float_layers=["linear"], ranges="min-max").census
    assert layers["layers"]["linear"] == {"form": "float", "why": "the recipe says so"}
    assert (layers["weighted_int8"], layers["weighted_float"]) == (LAYERS - 1, 1)


def test_parts_that_stay_float(tmp_path: Path) -> None:
    stays = Part("stays", PART.inputs, PART.outputs, {}, lambda checkpoint: Tiny(), quantize=False)
    census = export(tmp_path, "int8", stays).census
    assert (census["compute"], census["weighted_int8"]) == ("fp32", 0)


@pytest.mark.parametrize(
    ("precision", "options", "said"),
    [
        ("int4", {}, "int4"),
        ("int8", {"colour": 1}, "colour"),
        ("int8", {"form": "statik"}, "statik"),
        ("int8", {"ranges": "entropy"}, "entropy"),
        ("int8", {"float_parts": ["netwrk"]}, "netwrk"),
        ("int8", {"float_layers": 3}, "list of names"),
    ],
)
def test_what_it_does_not_know(tmp_path: Path, precision: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        export(tmp_path, precision, **options)


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, edgekit.exporters.executorch; assert not {'torch', 'numpy', 'executorch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_missing_package_is_said(made: dict[str, Artifact], folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgekit.errors import MissingExtra\n"
        "sys.modules['executorch'] = None\n"
        "from edgekit.runtimes.executorch import RUNTIME\n"
        "api = 'edgekit.exporters.executorch.api'\n"
        "for call in (lambda: RUNTIME.load(Path(sys.argv[1]), 1), lambda: __import__(api)):\n"
        "    try: call()\n"
        "    except MissingExtra as exc: assert exc.hint.endswith('[executorch]\"')\n"
        "    else: raise AssertionError\n"
    )
    file = folder / "fp32" / "out" / made["fp32"].file
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=60)


# --- dynamic axes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("int8", 0.05)])
def test_a_dynamic_axis(tmp_path: Path, precision: str, most: float) -> None:
    artifact = export(tmp_path, precision, LONG, sounds(*range(40, 60)))
    runner, reference = RUNTIME.load(tmp_path / "out" / artifact.file, 1), TorchRunner(LONG, Sound())
    for feed in sounds(2, 300, 7):
        found, wanted = runner(feed), reference(feed)
        assert {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in wanted.items()}
        assert relative_error([found], [wanted]) < most
    with pytest.raises(BadInput, match="time at most 300"):
        runner(sounds(301)[0])


class Fixed(nn.Module):
    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        y = sound.reshape(1, 50, 4)[..., :3].repeat(1, 1, 2)
        return y, y.mean(1)


def test_an_axis_that_cannot_stay_dynamic(tmp_path: Path) -> None:
    part = Part("fixed", LONG.inputs, LONG.outputs, LONG.axes, lambda checkpoint: Fixed())
    with pytest.raises(ExportFailed, match=r"'fixed' with the dynamic axes 'time'|axis 'time' of fixed"):
        export(tmp_path, "fp32", part)


# --- layers that XNNPACK lowers in its own way ------------------------------------------------------------------------


class Normed(nn.Module):
    """Batch normalization behind a ReLU, which no convolution can take up, and a weighted mean: as ECAPA has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.norm, self.second = nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.Conv1d(8, 8, 1)
        self.bare = nn.BatchNorm1d(8, affine=False)
        self.norm.running_mean += torch.linspace(-1, 1, 8)
        self.norm.running_var *= torch.logspace(-2, 1, 8)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        y = self.bare(torch.relu(self.second(self.norm(torch.relu(self.first(sound))))))
        weights = torch.softmax(y, dim=2)
        return y, (weights * y).sum(2)


NORMED = Part(
    "normed",
    (TensorSpec("sound", "float32", (1, 4, 50)),),
    (TensorSpec("y", "float32", (1, 8, 48)), TensorSpec("middle", "float32", (1, 8))),
    {},
    lambda checkpoint: Normed(),
)


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("int8", 0.05)])
def test_batch_normalization_behind_a_relu(tmp_path: Path, precision: str, most: float) -> None:
    """XNNPACK's own pass writes it as a float convolution, and cannot lower that between int8 layers."""
    feeds = [{"sound": sound["sound"]} for sound in sounds(*[50] * 24)]
    artifact = export(tmp_path, precision, NORMED, feeds, **({"ranges": "min-max"} if precision == "int8" else {}))
    runner, reference = RUNTIME.load(tmp_path / "out" / artifact.file, 1), TorchRunner(NORMED, Normed().eval())
    assert relative_error([runner(feeds[0])], [reference(feeds[0])]) < most
    census = artifact.census
    assert census["operators"]["DepthwiseConv2d"] == 2
    if precision == "int8":
        assert {name: layer["form"] for name, layer in census["layers"].items()} == dict.fromkeys(
            ("first", "norm", "second", "bare"), "static"
        )
        assert (census["weighted_int8"], census["weighted_float"]) == (4, 0)


# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        raise ValueError("not today")


def test_a_module_that_cannot_be_exported(tmp_path: Path) -> None:
    part = Part("network", PART.inputs, PART.outputs, {}, lambda checkpoint: Untraceable())
    with pytest.raises(ExportFailed, match="'network': not today"):
        export(tmp_path, "fp32", part)


@pytest.mark.parametrize("build", [None, lambda checkpoint: object()])
def test_a_part_without_a_module(tmp_path: Path, build: Any) -> None:
    with pytest.raises(ExportFailed, match="not a torch module"):
        export(tmp_path, "fp32", Part("network", PART.inputs, PART.outputs, {}, build))


@pytest.mark.parametrize("feeds", [[], pictures(3), pictures(1) * 20])
def test_too_few_samples(tmp_path: Path, feeds: Any) -> None:
    with pytest.raises(BadInput, match="at least 8 different calibration samples"):
        export(tmp_path, "int8", feeds=feeds)


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ({}, "'pixels' is missing"),
        ({"image": np.zeros(1)}, "no input 'image'"),
        ({"pixels": np.zeros((1, SIZE, SIZE, 3), np.float32)}, "must be uint8"),
        ({"pixels": np.zeros((1, SIZE, 3), np.uint8)}, "must be uint8"),
        ({"pixels": np.zeros((1, SIZE + 1, SIZE, 3), np.uint8)}, "must be uint8"),
        ({"pixels": "text"}, "not str"),
    ],
)
def test_wrong_input(made: dict[str, Artifact], folder: Path, feeds: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load(made, folder, "fp32")(feeds)


def test_an_answer_outlives_the_next_call_and_inputs_may_be_read_only(made: dict[str, Artifact], folder: Path) -> None:
    runner = load(made, folder, "int8")
    one, other = pictures(2, seed=9)
    one["pixels"].flags.writeable = False
    first = runner(one)["logits"]
    kept = first.copy()
    runner(other)
    assert np.array_equal(first, kept)


def test_runners_of_other_thread_counts_live_side_by_side(made: dict[str, Artifact], folder: Path) -> None:
    """The runtime has one pool of threads, and frees it under the programs that hold on to it."""
    file, feed = folder / "int8" / "out" / made["int8"].file, pictures(1)[0]
    runners = [RUNTIME.load(file, threads) for threads in (1, 2, 1)]
    answers = [runner(feed)["logits"] for _ in range(3) for runner in runners]
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_two_exports_are_the_same_bytes_and_tell_nothing_of_this_machine(
    made: dict[str, Artifact], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    artifact = export(tmp_path, "int8", feeds=pictures(40))
    RUNTIME.load(tmp_path / "out" / artifact.file, 1)(pictures(1)[0])
    assert capfd.readouterr() == ("", "")
    content = (tmp_path / "out" / "network.pte").read_bytes()
    assert content == (folder / "int8" / "out" / "network.pte").read_bytes()
    for trace in (str(Path(__file__).parent), "site-packages", f"{Path.home()}/", sys.prefix, ".py"):
        assert trace.encode() not in content, trace
