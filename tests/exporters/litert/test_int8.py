"""int8 for LiteRT: ranges, scales, biases, and what microcontrollers answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import OpResolverType
from helpers.cases.litert_cases import (
    ATTENTION,
    CLASSES,
    IMAGE,
    LAYERS,
    PIXELS,
    SCORES,
    Image,
    calls,
    export,
    graph,
    pictures,
    sentences,
)
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Checkpoint, Feeds, Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.litert import bias as litert_bias
from edgekit.exporters.litert import file as litert_file
from edgekit.exporters.litert.watch import Watcher
from edgekit.formats.tflite import reader
from edgekit.numerics.parity import LIMITS, part_error
from edgekit.quantization.ranges import EXTREMES, Extremes
from edgekit.registry import find
from edgekit.runtimes.litert import RUNTIME
from edgekit.runtimes.litert.runner import LitertRunner
from edgekit.runtimes.tflite_micro.runner import MicroRunner

# --- int8 ------------------------------------------------------------------------------------------------------------


def test_int8_inputs_and_outputs(tmp_path: Path) -> None:
    """The file has no float at all; the runner keeps the part's contract, and the microcontroller's answer is exact."""
    artifact = export(tmp_path, "int8", {"io": "int8"})
    main = graph(tmp_path).subgraphs[0]
    assert "float32" not in {tensor.dtype for tensor in main.tensors}
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(artifact.census["operators"])
    assert artifact.census["microcontroller"] == "equal on 2 real inputs, bit for bit"
    for name in ("litert", "tflite-micro"):
        runner = find("runtimes", name).load(tmp_path / "image.tflite", 1)
        assert (runner.inputs, runner.outputs) == (IMAGE.inputs, IMAGE.outputs)
        assert part_error(runner, calls(IMAGE, pictures(6))) <= LIMITS["int8"]


def test_the_microcontrollers_answer_is_the_references(tmp_path: Path) -> None:
    export(tmp_path, "int8", {"io": "int8"})
    content = (tmp_path / "image.tflite").read_bytes()
    ins = (TensorSpec("pixels", "int8", (1, 16, 16, 3)),)
    outs = (TensorSpec("scores", "int8", (1, CLASSES)),)
    micro, reference = MicroRunner(content, ins, outs), LitertRunner(content, 1, (ins, outs), reference=True)
    rng = np.random.default_rng(0)
    apart = []
    for _ in range(50):
        feed = {"pixels": rng.integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)}
        apart.append(np.abs(micro(feed)["scores"].astype(int) - reference(feed)["scores"]).max())
    # FULLY_CONNECTED rounds its multiplier otherwise in a few values; every other operator here is equal.
    assert max(apart) <= 1
    assert np.mean(apart) < 0.1


def test_garbage_on_a_microcontroller_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: MicroRunner, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"scores": np.full((1, CLASSES), -128, np.int8)}

    monkeypatch.setattr(MicroRunner, "__call__", wrong)
    with pytest.raises(ExportFailed, match="differ by up to"):
        export(tmp_path, "int8", {"io": "int8"})


def test_an_operator_that_microcontrollers_lack_is_named(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, pixels: Tensor) -> Tensor:
            return nn.functional.gelu(self.conv(pixels.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)

    part = Part("odd", PIXELS, (TensorSpec("y", "float32", (1, 14, 14, 8)),), {}, lambda checkpoint: Odd())
    census = export(tmp_path, "int8", {"io": "int8"}, part=part, calibration=pictures()).census
    assert re.fullmatch(r"not supported: .*GELU.*", census["microcontroller"])


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (pictures(3), "there were 3"),
        ([], "there were 0"),
        (pictures(1) * 20, "there were 20, all the same"),
        (pictures(5) * 4, "there were 20, only 5 of them different"),
    ],
)
def test_samples_that_say_nothing(tmp_path: Path, samples: list[Feeds], told: str) -> None:
    with pytest.raises(BadInput, match=f"at least 8 different calibration samples for the part 'image'; {told}"):
        export(tmp_path / "a", "int8", calibration=samples)
    census = export(tmp_path / "b", "int8", {"form": "weight-only"}, calibration=samples).census
    assert {layer["form"] for layer in census["layers"].values()} == {"weight-only"}
    assert census["compute"] == "fp32"


def test_matrices_get_the_form_that_is_closest_to_float(tmp_path: Path) -> None:
    facts = export(tmp_path, "int8", part=ATTENTION).census["choice"]
    errors = {name: error for name, error in facts["errors"].items() if "corrected" not in name}
    assert set(errors) == {"static (min-max)", "static (percentile)", "dynamic"}
    best = min(errors, key=lambda name: errors[name])
    assert best == (f"static ({facts['ranges']})" if facts["form"] == "static" else "dynamic")


def test_the_dynamic_form(tmp_path: Path) -> None:
    """Products of matrices in integers, convolutions stored in int8 and computed in float."""
    census = export(tmp_path / "a", "int8", {"form": "dynamic"}, part=ATTENTION).census
    assert {layer["form"] for layer in census["layers"].values()} == {"dynamic"}
    assert census["compute"] == "int8"
    few = export(tmp_path / "b", "int8", part=ATTENTION, calibration=sentences(2)).census
    assert few["choice"]["form"] == "dynamic"
    assert all("too few samples" in layer["why"] for layer in few["layers"].values())
    image = export(tmp_path / "c", "int8", {"form": "dynamic"}).census
    assert {name: layer["form"] for name, layer in image["layers"].items()} == {
        name: "dynamic" if name.startswith("classifier") else "weight-only" for name in LAYERS
    }


def test_layers_that_stay_float(tmp_path: Path) -> None:
    census = export(tmp_path / "a", "int8", {"float_layers": ["stem"]}).census
    assert census["float_layers"] == ["stem"]
    assert census["float_operators"] == ["stem"]
    assert census["layers"]["stem"] == {"form": "float", "why": "the recipe says so"}
    assert census["weighted_int8"] == 3
    both = export(tmp_path / "b", "int8", {"float_layers": 2}).census
    assert len(both["float_layers"]) == 2
    for name in both["float_layers"]:
        assert re.fullmatch(r"alone in float it moves .* from \d+\.\d% .* to \d+\.\d%", both["layers"][name]["why"])
    errors = both["choice"]["errors"]
    assert errors[f"static ({both['choice']['ranges']}), 2 in float"] < errors[f"static ({both['choice']['ranges']})"]
    with pytest.raises(BadInput, match="there was no input"):
        export(tmp_path / "c", "int8", {"float_layers": 2, "form": "dynamic"}, calibration=[])


@pytest.mark.parametrize("calibration", ["min-max", "percentile"])
def test_the_recipe_may_say_how_to_calibrate(tmp_path: Path, calibration: str) -> None:
    facts = export(tmp_path, "int8", {"ranges": calibration}).census["choice"]
    tried = [f"static ({calibration})", f"static ({calibration}), biases corrected"]
    assert (facts["ranges"], list(facts["errors"])) == (calibration, tried)


def test_ranges_do_not_depend_on_the_order_of_samples(tmp_path: Path) -> None:
    export(tmp_path)
    content = (tmp_path / "work" / "image.fp32.tflite").read_bytes()
    watch = Watcher(content, (PIXELS, SCORES), 1)
    there, back = Extremes(), Extremes()
    for seen, feeds in ((there, pictures()), (back, pictures()[::-1])):
        for name, values in (pair for feed in feeds for pair in watch.tensors(feed)):
            seen.see(name, values)
    for method in EXTREMES:
        assert there.ranges(method) == back.ranges(method)
        assert {"input", "stem", "classifier"} <= set(there.ranges(method))
    least, largest = there.ranges("percentile")["input"]
    assert -1 <= least < -0.99
    assert 0.99 < largest <= 1


def test_what_is_seen_inside_is_what_is_computed(tmp_path: Path) -> None:
    """XNNPACK may fuse operators; the tensors that calibration looks at must be there all the same."""

    class Plain(Watcher):
        def _open(self) -> None:
            self._made["experimental_op_resolver_type"] = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            super()._open()

    export(tmp_path, "int8")
    for file in (tmp_path / "work" / "image.fp32.tflite", tmp_path / "image.tflite"):
        content = file.read_bytes()
        names = {tensor.name for tensor in reader.read(content).subgraphs[0].tensors if tensor.data is None}
        fast, plain = (
            dict(kind(content, (PIXELS, SCORES), 1).tensors(pictures(1)[0], names)) for kind in (Watcher, Plain)
        )
        assert set(fast) == set(plain) == names
        for name, values in fast.items():
            np.testing.assert_allclose(values, plain[name], atol=0.03 * float(np.abs(plain[name]).max()), err_msg=name)


class Deep(nn.Module):
    """Coarse weights (one large in every channel) on inputs that are never negative: rounding shifts every mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16)
        self.third, self.last = nn.Conv2d(16, 16, 1), nn.Linear(16, CLASSES)
        with torch.no_grad():
            for layer in (self.first, self.second, self.third):
                layer.weight[:, 0, 0, 0] = 8.0

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.first(pixels.permute(0, 3, 1, 2)))
        x = torch.relu(self.third(torch.relu(self.second(x))))
        out: Tensor = self.last(x.mean((2, 3)))
        return out


@pytest.fixture
def to_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are rounded to nearest: what rounding by inputs puts into biases leaves nothing to correct."""
    monkeypatch.setattr("edgekit.exporters.litert.rounding.round_weights", lambda content, *_, **__: content)


@pytest.mark.usefixtures("to_nearest")
@pytest.mark.parametrize(
    # With a layer in float there is so little left to correct that what other pictures need differs by as much.
    ("options", "most", "elsewhere"),
    [({}, 0.7, 1.0), ({"io": "int8"}, 0.7, 1.0), ({"float_layers": ["third"]}, 0.9, 1.2)],
)
def test_corrected_biases_bring_the_outputs_closer_to_float(
    tmp_path: Path, options: dict[str, Any], most: float, elsewhere: float
) -> None:
    part = Part("deep", PIXELS, SCORES, {}, lambda checkpoint: Deep())
    feeds = [{"pixels": np.abs(feed["pixels"])} for feed in pictures(64)]
    options = {"ranges": "min-max", **options}
    artifact = export(tmp_path, "int8", options, part=part, calibration=feeds[:32])
    before, after = artifact.census["choice"]["errors"].values()
    assert after < most * before
    # Also on pictures that were not calibrated on.
    runner = RUNTIME.load(tmp_path / artifact.file, 1)
    assert part_error(runner, calls(part, feeds[32:])) < elsewhere * before


@pytest.mark.usefixtures("to_nearest")
def test_layers_without_a_bias_are_corrected_each_for_itself(tmp_path: Path) -> None:
    """They share one tensor of zeros in the float file."""

    def build(checkpoint: Checkpoint) -> nn.Module:
        network = Deep()
        for layer in (network.first, network.second, network.third):
            layer.register_parameter("bias", None)
        return network

    part = Part("deep", PIXELS, SCORES, {}, build)
    feeds = [{"pixels": np.abs(feed["pixels"])} for feed in pictures(32)]
    before, after = (
        export(tmp_path, "int8", {"ranges": "min-max"}, part=part, calibration=feeds)
        .census["choice"]["errors"]
        .values()
    )
    assert after < 0.7 * before
    float_file = reader.read((tmp_path / "work" / "deep.fp32.tflite").read_bytes()).subgraphs[0]
    biases = [op.inputs[2] for op in float_file.operators if "CONV_2D" in op.name]
    assert len(set(biases)) < len(biases)
    names = [tensor.name for tensor in graph(tmp_path, "deep").subgraphs[0].tensors]
    assert len(names) == len(set(names))


def test_the_mean_of_a_layer_is_the_mean_through_its_weights() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(1, 50, 50, 4))
    for kind, shape, groups in (("CONV_2D", (6, 3, 3, 4), 1), ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), 4)):
        weights = rng.standard_normal(shape)
        order = (0, 3, 1, 2) if groups == 1 else (3, 0, 1, 2)
        plain = torch.from_numpy(np.ascontiguousarray(weights.transpose(order)))
        out = nn.functional.conv2d(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), plain, groups=groups)
        mean = litert_bias.response(weights, kind, x.reshape(-1, 4).mean(0))
        assert mean is not None
        np.testing.assert_allclose(mean, out.numpy().mean((0, 2, 3)), atol=0.03)
    assert litert_bias.response(rng.standard_normal((6, 3, 3, 2)), "CONV_2D", np.ones(4)) is None
    assert litert_bias.response(rng.standard_normal((1, 3, 3, 6)), "DEPTHWISE_CONV_2D", np.ones(4)) is None


@pytest.mark.parametrize("weights", ["per-channel", "per-tensor"])
def test_weights_have_a_scale_for_every_output_channel(tmp_path: Path, weights: str) -> None:
    """Small layers too, whose weights the quantizer once took for activations with a range of their own."""
    part = Part("small", PIXELS, SCORES, {}, lambda checkpoint: Image(width=8))
    export(tmp_path, "int8", {"weights": weights}, part=part, calibration=pictures())
    found = litert_file.parse((tmp_path / "small.tflite").read_bytes())
    tensors, scales = found.subgraphs[0].tensors, {}
    for name, _, _, index, _, axis in litert_file.weighted_operators(found):
        channels = litert_file.shape_of(tensors[index])[axis]
        scales[name] = len(tensors[index].quantization.scale), channels
    assert set(scales) == LAYERS
    assert all(count == (channels if weights == "per-channel" else 1) for count, channels in scales.values()), scales


class Strided(nn.Module):
    """Layers of one shape, whose weights lie in memory as another framework had them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Conv2d(16, 16, 3, padding=1) for _ in range(6)))
        for layer in self.layers:
            layer.weight = nn.Parameter(torch.randn(3, 3, 16, 16).permute(3, 2, 0, 1) / 12)

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.layers(torch.cat([pixels] * 6, 3)[..., :16].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return out


def test_every_layer_keeps_its_own_weights_however_they_lie_in_memory(tmp_path: Path) -> None:
    part = Part("strided", PIXELS, (TensorSpec("y", "float32", (1, 16, 16, 16)),), {}, lambda checkpoint: Strided())
    export(tmp_path, part=part)
    assert part_error(RUNTIME.load(tmp_path / "strided.tflite", 1), calls(part, pictures(1))) < LIMITS["fp32"]


class Dead(nn.Module):
    """Half of the channels have no weights, only a bias: what batch normalization makes of channels nobody needs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3)
        with torch.no_grad():
            self.conv.weight[::2] = 1e-20
            self.conv.bias[:] = torch.linspace(-0.9, 0.9, 8)

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.conv(pixels.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return out


def test_the_bias_of_a_dead_channel_survives(tmp_path: Path) -> None:
    part = Part("dead", PIXELS, (TensorSpec("y", "float32", (1, 14, 14, 8)),), {}, lambda checkpoint: Dead())
    export(tmp_path, "int8", part=part, calibration=pictures())
    runner = RUNTIME.load(tmp_path / "dead.tflite", 1)
    feeds, expected = calls(part, pictures(1))[0]
    np.testing.assert_allclose(runner(feeds)["y"][..., ::2], expected["y"][..., ::2], atol=0.03)
    bias = next(t for t in graph(tmp_path, "dead").subgraphs[0].tensors if t.name == "conv/bias")
    assert bias.data is not None
    assert np.abs(bias.data.astype(np.int64)).max() <= 1 << 30


class Silent(nn.Module):
    """A branch that gets nothing but zeros."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.begin, self.silent, self.end = nn.Linear(64, 48), nn.Linear(48, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.begin(x))
        out: Tensor = self.end(x + self.silent(torch.relu(-x.abs() - 1)))
        return out


def test_calibration_that_never_reaches_a_layer(tmp_path: Path) -> None:
    """XNNPACK refuses an operator whose result has a step that is much finer than its inputs'."""
    sides = (TensorSpec("x", "float32", (4, 64)),), (TensorSpec("y", "float32", (4, 10)),)
    part = Part("silent", *sides, {}, lambda checkpoint: Silent())
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.standard_normal((4, 64)).astype(np.float32)} for _ in range(32)]
    export(tmp_path, "int8", part=part, calibration=feeds, options={"form": "static"})
    runner = RUNTIME.load(tmp_path / "silent.tflite", 1)
    feed, expected = calls(part, feeds[:1])[0]
    np.testing.assert_allclose(runner(feed)["y"], expected["y"], atol=0.1)
