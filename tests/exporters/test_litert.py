"""The LiteRT exporter on small networks: what it writes and proves, what it refuses; and EfficientNet-Lite0."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _tflite_int16 import stream
from _tflite_models import Builder, Case, product
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import OpResolverType
from numpy.typing import NDArray
from torch import Tensor, nn

import edgekit
from edgekit import tflite
from edgekit.core import Artifact, Axis, Checkpoint, Exporter, Feeds, Model, Part, Recipe, TensorSpec
from edgekit.errors import BadInput, ExportFailed, MissingExtra, Unsupported
from edgekit.exporters.litert import EXPORTER
from edgekit.parity import LIMITS, TorchRunner, part_error
from edgekit.reference import MicroRunner

if importlib.util.find_spec("litert_torch") is None and not os.environ.get("CI"):
    pytest.skip("litert-torch is not installed", allow_module_level=True)

from edgekit.exporters import _litert_bias, _litert_census, _litert_choose, _litert_file, _litert_int8
from edgekit.exporters._litert_runner import LitertRunner
from edgekit.exporters._litert_watch import Watcher

CHECKPOINT = Checkpoint(Path("toy"), "toy", {}, {}, {})
REPO = Path(__file__).parent.parent.parent
CLASSES = 10


class Image(nn.Module):
    """A small image network that takes NHWC: convolutions of three kinds, a sum, a mean, a classifier."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.stem(pixels.permute(0, 3, 1, 2)))
        x = x + self.pointwise(nn.functional.relu6(self.depthwise(x)))
        out: Tensor = self.classifier(self.drop(x.mean((2, 3))))
        return out


PIXELS = (TensorSpec("pixels", "float32", (1, 16, 16, 3)),)
SCORES = (TensorSpec("scores", "float32", (1, CLASSES)),)
IMAGE = Part("image", PIXELS, SCORES, {}, lambda checkpoint: Image())
LAYERS = {"stem/CONV_2D", "depthwise/DEPTHWISE_CONV_2D", "pointwise/CONV_2D", "classifier/FULLY_CONNECTED"}


def pictures(count: int = 24, size: int = 16) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [{"pixels": rng.uniform(-1, 1, (1, size, size, 3)).astype(np.float32)} for _ in range(count)]


class Attention(nn.Module):
    """Products with weights and of activations, an embedding, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(50, 64)
        self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, tokens: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.table(tokens) + sound
        q, k, v = self.qkv(x).split(64, dim=-1)
        return self.out(torch.softmax(q @ k.transpose(-1, -2) / 8, -1) @ v), x.mean(1)


ATTENTION = Part(
    "attention",
    (TensorSpec("tokens", "int64", (1, 12)), TensorSpec("sound", "float32", (1, 12, 64))),
    (TensorSpec("y", "float32", (1, 12, 64)), TensorSpec("middle", "float32", (1, 64))),
    {},
    lambda checkpoint: Attention(),
)


def sentences(count: int = 12) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [
        {"tokens": rng.integers(0, 50, (1, 12)), "sound": rng.standard_normal((1, 12, 64)).astype(np.float32)}
        for _ in range(count)
    ]


def model(*parts: Part) -> Model:
    nothing: Any = None
    return Model(
        name="toy", family="toy", task="toy", licence="MIT", sources=(), parts=parts, parameters=1, pipeline=nothing,
        assets=(), prepare=nothing, licence_text="", golden="", samples=nothing, size=lambda recipe: 1,
        memory=lambda recipe: 1,
    )  # fmt: skip


#: Converted parts, which many tests share: a file in `work` is not made again.
_CONVERTED: dict[str, bytes] = {}


def export(
    out: Path,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
    *,
    part: Part = IMAGE,
    calibration: Sequence[Feeds] | None = None,
    checkpoint: Checkpoint = CHECKPOINT,
) -> Artifact:
    work = out / "work"
    work.mkdir(parents=True)
    shared = part in (IMAGE, ATTENTION)
    if shared and part.name in _CONVERTED:
        (work / f"{part.name}.fp32.tflite").write_bytes(_CONVERTED[part.name])
    feeds = {"image": pictures, "attention": sentences}.get(part.name, list)() if calibration is None else calibration
    recipe = Recipe("litert", precision, options or {})
    made = EXPORTER.export(model(part), checkpoint, recipe, {part.name: feeds}, out, work, lambda *_: None)
    assert [artifact.part for artifact in made] == [part.name]
    if shared:
        _CONVERTED[part.name] = (work / f"{part.name}.fp32.tflite").read_bytes()
    return made[0]


def calls(part: Part, feeds: Sequence[Feeds]) -> list[tuple[Feeds, Mapping[str, NDArray[Any]]]]:
    assert part.build
    reference = TorchRunner(part, part.build(CHECKPOINT))
    return [(feed, reference(feed)) for feed in feeds]


def graph(out: Path, name: str = "image") -> tflite.Graph:
    return tflite.read((out / f"{name}.tflite").read_bytes())


# --- what every exporter owes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [IMAGE, ATTENTION], ids=lambda part: part.name)
@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_every_precision(tmp_path: Path, precision: str, part: Part) -> None:
    assert isinstance(EXPORTER, Exporter)
    artifact = export(tmp_path, precision, part=part)
    assert artifact.file == f"{part.name}.tflite"
    runner = EXPORTER.load(tmp_path / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    proven = calls(part, (pictures if part is IMAGE else sentences)(6))
    for call in proven:
        assert part_error(runner, [call]) <= LIMITS[precision]
        answer = runner(call[0])
        assert {name: value.dtype for name, value in answer.items()} == {s.name: s.dtype for s in part.outputs}
    assert part_error(runner, proven) > 0 or precision == "fp32"
    assert not hasattr(runner, "reset")


@pytest.mark.parametrize(
    ("precision", "options", "said"),
    [
        ("int3", {}, "int3"),
        ("int8", {"colour": 1}, "colour"),
        ("int8", {"form": "statik"}, "statik"),
        ("int8", {"io": "int16"}, "int16"),
        ("int8", {"weights": "per-row"}, "per-row"),
        ("int8", {"calibration": "entropy"}, "entropy"),
        ("int8", {"form": "dynamic", "io": "int8"}, "static form"),
        ("int8", {"float_parts": ["imag"]}, "imag"),
        ("int8", {"float_layers": ["stm"]}, "stm"),
        ("fp32", {"sizes": {"time": 4}}, "time"),
    ],
)
def test_what_it_does_not_know(tmp_path: Path, precision: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        export(tmp_path, precision, options)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, edgekit.exporters.litert; "
        "assert not {'torch', 'numpy', 'litert_torch', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("absent", ["litert_torch", "ai_edge_quantizer"])
def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    monkeypatch.setitem(sys.modules, absent, None)  # type: ignore[arg-type]
    part = IMAGE if absent == "ai_edge_quantizer" else Part("fresh", PIXELS, SCORES, {}, lambda checkpoint: Image())
    with pytest.raises(MissingExtra, match=absent) as caught:
        export(tmp_path, "int8", part=part, calibration=pictures())
    assert 'pip install "edgekit[litert]"' in caught.value.hint


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_is_quiet(tmp_path: Path, precision: str, capfd: pytest.CaptureFixture[str]) -> None:
    part = Part("fresh", PIXELS, SCORES, {}, lambda checkpoint: Image())
    export(tmp_path, precision, part=part, calibration=pictures())
    EXPORTER.load(tmp_path / "fresh.tflite", 1)(pictures(1)[0])
    assert capfd.readouterr() == ("", "")


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_nothing_of_this_machine_is_in_a_file(tmp_path: Path, precision: str) -> None:
    export(tmp_path, precision)
    data = (tmp_path / "image.tflite").read_bytes()
    for trace in (str(REPO), "site-packages", f"{Path.home()}/", str(tmp_path), sys.prefix, ".py", "test_litert"):
        assert trace.encode() not in data, trace


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_two_exports_are_the_same_bytes(tmp_path: Path, precision: str) -> None:
    files = []
    for name in ("a", "b"):
        _CONVERTED.pop("image", None)
        export(tmp_path / name, precision)
        files.append((tmp_path / name / "image.tflite").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(("precision", "options"), [("fp32", {}), ("int8", {}), ("int8", {"io": "int8"})])
def test_tensors_have_names_that_people_can_read(tmp_path: Path, precision: str, options: dict[str, Any]) -> None:
    export(tmp_path, precision, options)
    main = graph(tmp_path).subgraphs[0]
    assert [main.tensors[i].name for i in main.inputs] == ["pixels"]
    assert [main.tensors[i].name for i in main.outputs] == ["scores"]
    names = [tensor.name for tensor in main.tensors]
    assert len(names) == len(set(names))
    assert {"stem/CONV_2D", "stem/weights", "stem/bias", "depthwise/DEPTHWISE_CONV_2D", "classifier/weights"} <= set(
        names
    )
    signature = schema.Model.GetRootAs((tmp_path / "image.tflite").read_bytes(), 0).SignatureDefs(0)
    assert (signature.Inputs(0).Name(), signature.Outputs(0).Name()) == (b"pixels", b"scores")


def test_an_image_network_has_no_transposes(tmp_path: Path) -> None:
    for precision in EXPORTER.precisions:
        census = export(tmp_path / precision, precision).census
        assert census["transposes"] == 0
        assert "TRANSPOSE" not in census["operators"]


def test_transposes_are_counted(tmp_path: Path) -> None:
    """Where the part takes NCHW, they cannot be avoided, and the census says so."""
    wanted = (TensorSpec("pixels", "float32", (1, 3, 16, 16)),)
    made = (TensorSpec("y", "float32", (1, 4, 16, 16)),)
    part = Part("nchw", wanted, made, {}, lambda checkpoint: nn.Conv2d(3, 4, 3, padding=1))
    assert export(tmp_path, part=part).census["transposes"] == 2


def buffers(content: bytes) -> list[Any]:
    whole = schema.Model.GetRootAs(content, 0)
    return [whole.Buffers(i) for i in range(whole.BuffersLength())]


def test_buffers_are_inside_and_aligned(tmp_path: Path) -> None:
    """The quantizer moves them behind the flatbuffer past 256 KiB; ours must not."""
    part = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(640))
    export(tmp_path, "int8", part=part, calibration=pictures())
    content = (tmp_path / "wide.tflite").read_bytes()
    held = buffers(content)
    assert sum(buffer.DataLength() for buffer in held) > 1 << 18
    assert all(buffer.Offset() == 0 and buffer.Size() == 0 for buffer in held)
    for buffer in held:
        if buffer.DataLength():
            start = buffer.DataAsNumpy().__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data
            assert start % 16 == 0
    assert tflite.read(content)
    from ai_edge_quantizer.quantizer import Quantizer

    outside = Quantizer(
        bytearray((tmp_path / "work" / "wide.fp32.tflite").read_bytes()),
        [_litert_int8._rule("*", _litert_int8._config())],
    ).quantize(enable_progress_report=False)
    with pytest.raises(BadInput, match="outside of its flatbuffer"):
        tflite.read(bytes(outside.quantized_model))


def test_a_file_is_little_more_than_its_weights(tmp_path: Path) -> None:
    part = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(640))
    held = export(tmp_path, "int8", part=part, calibration=pictures()).census["bytes"]
    channels = 3 * 640 + CLASSES
    assert held["int8"] == 640 * 27 + 640 * 9 + 640 * 640 + 640 * CLASSES
    assert held["int32"] >= 4 * channels
    # Scales of weights and of biases; their zero points, 8 bytes each, are one vector for each length.
    assert (tmp_path / "wide.tflite").stat().st_size < sum(held.values()) + 8 * channels + 8 * 650 + 9_000


# --- the census ------------------------------------------------------------------------------------------------------


def test_the_census_tells_what_is_in_the_file(tmp_path: Path) -> None:
    wide = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(64))
    small, large = 64 * 9 + 64 * CLASSES + 3 * 64 + CLASSES, 64 * 27 + 64 * 64
    census = {p: export(tmp_path / p, p, part=wide, calibration=pictures()).census for p in EXPORTER.precisions}
    assert census["fp32"]["bytes"]["float32"] == 4 * (small + large)
    assert (census["fp32"]["weighted_int8"], census["fp32"]["weighted_float"]) == (0, 4)
    assert (census["fp32"]["compute"], census["fp32"]["layers"]) == ("fp32", {})
    assert census["fp16"]["bytes"]["float16"] == 2 * (large + small - 3 * 64 - CLASSES)
    assert census["fp16"]["bytes"]["float32"] == 4 * (3 * 64 + CLASSES)
    assert census["fp16"]["compute"] == "fp32"
    facts = census["int8"]
    assert facts["bytes"]["int8"] == large + small - 3 * 64 - CLASSES
    assert (facts["weighted_int8"], facts["weighted_float"], facts["float_layers"]) == (4, 0, [])
    assert facts["float_operators"] == []
    assert facts["compute"] == "int8"
    assert set(facts["layers"]) == LAYERS
    assert all(layer["form"] == "static" and layer["why"] for layer in facts["layers"].values())
    errors = facts["choice"]["errors"]
    ranges = f"static ({facts['choice']['ranges']})"
    assert set(errors) == {"static (min-max)", "static (percentile)", f"{ranges}, biases corrected"}
    assert errors[ranges] == min(errors["static (min-max)"], errors["static (percentile)"])
    main = graph(tmp_path / "int8", "wide").subgraphs[0]
    kinds = [operator.name for operator in main.operators]
    assert facts["operators"] == {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    facts = {"bytes": {"float32": 4000, "int8": 900}, "float_layers": ["a"]}
    with pytest.raises(ExportFailed, match="'toy' was to be int8, but most"):
        _litert_census.check(facts, "toy", "int8", "static", [])
    facts["bytes"]["int8"] = 1100
    with pytest.raises(ExportFailed, match=r"left 1 layer\(s\) in float: a"):
        _litert_census.check(facts, "toy", "int8", "static", [])
    _litert_census.check(facts, "toy", "int8", "static", ["a"])
    _litert_census.check({"bytes": {"int32": 4}, "float_layers": []}, "toy", "fp32", "float", [])


def test_what_the_quantizer_leaves_in_float_is_refused(tmp_path: Path) -> None:
    """It has no int8 for three-dimensional convolutions."""
    shape, made = (TensorSpec("x", "float32", (1, 3, 8, 8, 8)),), (TensorSpec("y", "float32", (1, 4, 8, 8, 8)),)
    part = Part("solid", shape, made, {}, lambda checkpoint: nn.Conv3d(3, 4, 3, padding=1))
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.standard_normal((1, 3, 8, 8, 8)).astype(np.float32)} for _ in range(9)]
    with pytest.raises(ExportFailed, match="'solid' was to be int8"):
        export(tmp_path, "int8", part=part, calibration=feeds)


def test_parts_that_stay_float(tmp_path: Path) -> None:
    stays = Part("stays", PIXELS, SCORES, {}, lambda checkpoint: Image(), quantize=False)
    for name, part, options in (("a", stays, {}), ("b", IMAGE, {"float_parts": ["image"]})):
        census = export(tmp_path / name, "int8", options, part=part, calibration=[]).census
        assert census["compute"] == "fp32"
        assert set(census["bytes"]) <= {"float32", "int32"}


# --- int8 ------------------------------------------------------------------------------------------------------------


def test_int8_inputs_and_outputs(tmp_path: Path) -> None:
    """The file has no float at all; the runner keeps the part's contract, and the microcontroller's answer is exact."""
    artifact = export(tmp_path, "int8", {"io": "int8"})
    main = graph(tmp_path).subgraphs[0]
    assert "float32" not in {tensor.dtype for tensor in main.tensors}
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(artifact.census["operators"])
    assert artifact.census["microcontroller"] == "equal on 2 real inputs, bit for bit"
    runner = EXPORTER.load(tmp_path / "image.tflite", 1)
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
    census = export(tmp_path / "a", "int8", {"float_layers": ["stem/CONV_2D"]}).census
    assert census["float_layers"] == ["stem/CONV_2D"]
    assert census["float_operators"] == ["stem/CONV_2D"]
    assert census["layers"]["stem/CONV_2D"] == {"form": "float", "why": "the recipe says so"}
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
    facts = export(tmp_path, "int8", {"calibration": calibration}).census["choice"]
    tried = [f"static ({calibration})", f"static ({calibration}), biases corrected"]
    assert (facts["ranges"], list(facts["errors"])) == (calibration, tried)


def test_ranges_do_not_depend_on_the_order_of_samples(tmp_path: Path) -> None:
    export(tmp_path)
    content = (tmp_path / "work" / "image.fp32.tflite").read_bytes()
    for tail in (0.0, _litert_int8.TAIL):
        watch = Watcher(content, (PIXELS, SCORES), 1)
        there, back = (_litert_int8.ranges(watch, feeds, tail) for feeds in (pictures(), pictures()[::-1]))
        assert there == back
        assert {"input", "stem/CONV_2D", "classifier/FULLY_CONNECTED"} <= set(there)
    least, largest = there["input"]
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
        names = {tensor.name for tensor in tflite.read(content).subgraphs[0].tensors if tensor.data is None}
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


@pytest.mark.parametrize(
    # With a layer in float there is so little left to correct that what other pictures need differs by as much.
    ("options", "most", "elsewhere"),
    [({}, 0.7, 1.0), ({"io": "int8"}, 0.7, 1.0), ({"float_layers": ["third/CONV_2D"]}, 0.9, 1.2)],
)
def test_corrected_biases_bring_the_outputs_closer_to_float(
    tmp_path: Path, options: dict[str, Any], most: float, elsewhere: float
) -> None:
    part = Part("deep", PIXELS, SCORES, {}, lambda checkpoint: Deep())
    feeds = [{"pixels": np.abs(feed["pixels"])} for feed in pictures(64)]
    options = {"calibration": "min-max", **options}
    artifact = export(tmp_path, "int8", options, part=part, calibration=feeds[:32])
    before, after = artifact.census["choice"]["errors"].values()
    assert after < most * before
    # Also on pictures that were not calibrated on.
    runner = EXPORTER.load(tmp_path / artifact.file, 1)
    assert part_error(runner, calls(part, feeds[32:])) < elsewhere * before


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
        export(tmp_path, "int8", {"calibration": "min-max"}, part=part, calibration=feeds)
        .census["choice"]["errors"]
        .values()
    )
    assert after < 0.7 * before
    float_file = tflite.read((tmp_path / "work" / "deep.fp32.tflite").read_bytes()).subgraphs[0]
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
        mean = _litert_bias._response(weights, kind, x.reshape(-1, 4).mean(0))
        assert mean is not None
        np.testing.assert_allclose(mean, out.numpy().mean((0, 2, 3)), atol=0.03)
    assert _litert_bias._response(rng.standard_normal((6, 3, 3, 2)), "CONV_2D", np.ones(4)) is None
    assert _litert_bias._response(rng.standard_normal((1, 3, 3, 6)), "DEPTHWISE_CONV_2D", np.ones(4)) is None


@pytest.mark.parametrize("weights", ["per-channel", "per-tensor"])
def test_weights_have_a_scale_for_every_output_channel(tmp_path: Path, weights: str) -> None:
    """Small layers too, whose weights the quantizer once took for activations with a range of their own."""
    part = Part("small", PIXELS, SCORES, {}, lambda checkpoint: Image(width=8))
    export(tmp_path, "int8", {"weights": weights}, part=part, calibration=pictures())
    found = _litert_file.parse((tmp_path / "small.tflite").read_bytes())
    tensors, scales = found.subgraphs[0].tensors, {}
    for name, _, _, index, _, axis in _litert_file.weighted(found):
        channels = _litert_file.shape_of(tensors[index])[axis]
        scales[name] = len(np.unique(tensors[index].quantization.scale)), channels
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
    assert part_error(EXPORTER.load(tmp_path / "strided.tflite", 1), calls(part, pictures(1))) < LIMITS["fp32"]


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
    runner = EXPORTER.load(tmp_path / "dead.tflite", 1)
    feeds, expected = calls(part, pictures(1))[0]
    np.testing.assert_allclose(runner(feeds)["y"][..., ::2], expected["y"][..., ::2], atol=0.03)
    bias = next(t for t in graph(tmp_path, "dead").subgraphs[0].tensors if t.name == "conv/bias")
    assert bias.data is not None
    assert np.abs(bias.data.astype(np.int64)).max() <= 1 << 30


# --- fp16 ------------------------------------------------------------------------------------------------------------


def test_what_half_precision_cannot_hold_stays_single(tmp_path: Path) -> None:
    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.small, self.large = nn.Linear(128, 128), nn.Linear(128, 32)
            with torch.no_grad():
                self.large.weight[0, 0] = 1e5

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.large(self.small(x))
            return out

    ends = (TensorSpec("x", "float32", (1, 128)),), (TensorSpec("y", "float32", (1, 32)),)
    part = Part("large", *ends, {}, lambda checkpoint: Large())
    census = export(tmp_path, "fp16", part=part).census
    assert census["bytes"]["float16"] == 2 * 128 * 128
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 128)).astype(np.float32)}
    assert part_error(EXPORTER.load(tmp_path / "large.tflite", 1), calls(part, [feeds])) < LIMITS["fp16"]


# --- dynamic axes ----------------------------------------------------------------------------------------------------


def linear(axis: int | str) -> Part:
    ends = (TensorSpec("x", "float32", (1, axis, 16)),), (TensorSpec("y", "float32", (1, axis, 4)),)
    axes = {axis: Axis(2, 100, 10, multiple=2)} if isinstance(axis, str) else {}

    def build(checkpoint: Checkpoint) -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(16, 4)

    return Part("linear", *ends, axes, build)


def test_an_axis_that_cannot_stay_dynamic(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"the axis 'time' of the part 'linear' dynamic") as caught:
        export(tmp_path / "a", part=linear("time"))
    assert '{"sizes": {"time": 10}}' in caught.value.hint
    assert "\n" not in caught.value.message
    assert not list((tmp_path / "a").glob("*.tflite"))
    with pytest.raises(Unsupported, match="cannot have the size 7") as caught:
        export(tmp_path / "b", options={"sizes": {"time": 7}}, part=linear("time"))
    assert "2 to 100 in steps of 2" in caught.value.hint


def test_an_axis_that_the_recipe_fixes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.standard_normal((1, time, 16)).astype(np.float32)} for time in [20] * 9 + [30] * 9]
    artifact = export(tmp_path, "int8", {"sizes": {"time": 20}}, part=linear("time"), calibration=feeds)
    assert artifact.census["choice"]["samples"] == 9  # those of another size cannot be used
    runner = EXPORTER.load(tmp_path / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (linear(20).inputs, linear(20).outputs)
    assert part_error(runner, calls(linear(20), feeds[:3])) < LIMITS["int8"]
    with pytest.raises(BadInput, match=r"'x' must be float32 \[1, 20, 16\]"):
        runner(feeds[-1])


def test_a_ready_file_whose_axis_is_dynamic(tmp_path: Path) -> None:
    """Files that others made may have such axes; the runner resizes."""
    b = Builder()
    x, y = (b.tensor((1, 1, 4), "float32", None) for _ in range(2))
    for index in (x, y):
        b.graph.tensors[index].shapeSignature = np.array([1, -1, 4], np.int32)
    b.add("TANH", [x], [y])
    content = b.finish([x], [y])
    ends = (TensorSpec("x", "float32", (1, "time", 4)),), (TensorSpec("y", "float32", (1, "time", 4)),)
    part = Part("network", *ends, {"time": Axis(1, 50, 7)}, None)
    artifact = export(tmp_path / "out", part=part, checkpoint=ready(tmp_path, content))
    runner = EXPORTER.load(tmp_path / "out" / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == ends
    for time in (1, 7, 50, 1):
        given = np.random.default_rng(0).standard_normal((1, time, 4)).astype(np.float32)
        np.testing.assert_allclose(runner({"x": given})["y"], np.tanh(given), rtol=1e-5)
    with pytest.raises(BadInput, match=r"'x' must be float32 \[1, 'time', 4\]"):
        runner({"x": np.zeros((1, 7, 5), np.float32)})


# --- ready files -----------------------------------------------------------------------------------------------------

CASE = Case(seed=3, height=8, width=7, channels=5, outputs=6, stride=(2, 1))


def ready(tmp_path: Path, content: bytes, name: str = "given.tflite") -> Checkpoint:
    file = tmp_path / name
    file.write_bytes(content)
    return Checkpoint(file, "tflite", {}, {}, {})


def part_of(content: bytes) -> Part:
    main = tflite.read(content).subgraphs[0]

    def of(side: str, indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        tensors = [main.tensors[i] for i in indices]
        return tuple(TensorSpec(f"{side}{i}", t.dtype, t.shape) for i, t in enumerate(tensors))

    return Part("network", of("in", main.inputs), of("out", main.outputs), {}, None)


def test_a_ready_file_is_copied_as_it_is(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    part = part_of(content)
    artifact = export(tmp_path / "out", "int8", part=part, checkpoint=ready(tmp_path, content))
    assert (tmp_path / "out" / artifact.file).read_bytes() == content
    assert artifact.census["operators"] == {"CONV_2D": 1}
    assert (artifact.census["compute"], artifact.census["weighted_int8"]) == ("int8", 1)
    runner = EXPORTER.load(tmp_path / "out" / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    feeds = {"in0": np.random.default_rng(0).integers(-128, 128, part.inputs[0].shape).astype(np.int8)}
    np.testing.assert_allclose(
        runner(feeds)["out0"], MicroRunner(content, part.inputs, part.outputs)(feeds)["out0"], atol=1
    )


def test_a_ready_file_of_another_precision(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    for precision in ("fp32", "fp16"):
        with pytest.raises(Unsupported, match=f"is int8; it cannot become {precision}") as caught:
            export(tmp_path / precision, precision, part=part_of(content), checkpoint=ready(tmp_path, content))
        assert "--precision int8" in caught.value.hint


def test_a_ready_float_file_is_quantized(tmp_path: Path) -> None:
    export(tmp_path / "float")
    given = ready(tmp_path, (tmp_path / "float" / "image.tflite").read_bytes())
    part = Part("image", PIXELS, SCORES, {}, None)
    census = export(tmp_path / "int8", "int8", part=part, checkpoint=given, calibration=pictures()).census
    assert (census["weighted_int8"], census["weighted_float"]) == (4, 0)
    runner = EXPORTER.load(tmp_path / "int8" / "image.tflite", 1)
    assert part_error(runner, calls(IMAGE, pictures(4))) < LIMITS["int8"]


def test_a_ready_file_of_old(tmp_path: Path) -> None:
    """Before 2020 the kind of an operator was in another field, which the quantizer does not look at."""
    export(tmp_path / "float")
    old = _litert_file.parse((tmp_path / "float" / "image.tflite").read_bytes())
    for code in old.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    given = ready(tmp_path, _litert_file.pack(old))
    part = Part("image", PIXELS, SCORES, {}, None)
    census = export(tmp_path / "int8", "int8", part=part, checkpoint=given, calibration=pictures()).census
    assert (census["weighted_int8"], census["float_operators"]) == (4, [])


def test_what_does_not_run_is_not_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise BadInput("LiteRT refuses it.")

    monkeypatch.setattr(_litert_choose, "LitertRunner", refused)
    with pytest.raises(ExportFailed, match="made of the part 'image' does not run: LiteRT refuses it"):
        export(tmp_path, "int8")


def test_a_ready_file_with_other_tensors(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    part = Part("network", PIXELS, SCORES, {}, None)
    with pytest.raises(BadInput, match="the part 'network' needs"):
        export(tmp_path / "out", "int8", part=part, checkpoint=ready(tmp_path, content))


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated"])
def test_a_ready_file_that_is_damaged(tmp_path: Path, damage: str) -> None:
    whole = product(CASE, "CONV_2D")
    content = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}[damage]
    with pytest.raises(BadInput, match=r"\.tflite"):
        export(tmp_path / "out", "int8", part=part_of(whole), checkpoint=ready(tmp_path, content))


def test_a_model_that_remembers(tmp_path: Path) -> None:
    """Its runner can be told to forget, and then answers as a new one does."""
    content = stream()
    part = part_of(content)
    artifact = export(tmp_path / "out", "fp32", part=part, checkpoint=ready(tmp_path, content))
    runner: Any = EXPORTER.load(tmp_path / "out" / artifact.file, 1)
    rng = np.random.default_rng(0)
    feeds = [{"in0": rng.integers(-900, 900, (1, 1, 4)).astype(np.int16)} for _ in range(5)]
    first = [runner(feed)["out0"] for feed in feeds]
    again = [runner(feed)["out0"] for feed in feeds]
    runner.reset()
    fresh = [runner(feed)["out0"] for feed in feeds]
    assert not np.array_equal(first, again)
    np.testing.assert_array_equal(first, fresh)
    np.testing.assert_array_equal(first[0][0, :2], np.arange(-4, 4, dtype=np.int16).reshape(2, 4) * 5000)


# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels if pixels.sum() > 0 else pixels + 1


class Broken(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        raise ValueError("first line\nsecond line")


class TwoOutputs(nn.Module):
    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels * 2, pixels + 1


class Other(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * 3).to(torch.int32)


class NoLowering(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return torch.linalg.svd(pixels)[1]


@pytest.mark.parametrize("module", [Untraceable, Broken, TwoOutputs, Other, NoLowering])
def test_a_module_that_cannot_be_exported(tmp_path: Path, module: type[nn.Module]) -> None:
    same = (TensorSpec("y", "float32", (1, 16, 16, 3)),)
    with pytest.raises(ExportFailed, match="toy") as caught:
        export(tmp_path, part=Part("toy", PIXELS, same, {}, lambda checkpoint: module()))
    assert "\n" not in caught.value.message
    assert not list(tmp_path.glob("*.tflite"))
    if module is NoLowering:
        assert "aten._linalg_svd" in caught.value.message


@pytest.mark.parametrize("build", [None, lambda checkpoint: object()])
def test_a_part_without_a_module(tmp_path: Path, build: Any) -> None:
    part = Part("frontend", PIXELS, SCORES, {}, build, kind="mfcc")
    with pytest.raises(ExportFailed, match=r"'frontend' \(mfcc\) is not a torch module"):
        export(tmp_path, part=part)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    export(folder, "int8", {"io": "int8"})
    return folder / "image.tflite"


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "absent", "folder", "other"])
def test_a_file_that_is_no_model(tmp_path: Path, good: Path, damage: str) -> None:
    file = tmp_path / "image.tflite"
    if damage == "folder":
        file.mkdir()
    elif damage != "absent":
        whole = good.read_bytes()
        contents = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}
        file.write_bytes(contents.get(damage, b"RIFFRIFF" + whole[8:]))
    with pytest.raises(BadInput, match=r"refuses image\.tflite") as caught:
        EXPORTER.load(file, 1)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", '{"inputs": []}', '{"inputs": [{"name": 1}], "outputs": []}'])
def test_a_description_that_cannot_be_read(tmp_path: Path, good: Path, text: str) -> None:
    (tmp_path / "image.tflite").write_bytes(good.read_bytes())
    (tmp_path / "image.json").write_text(text)
    with pytest.raises(BadInput, match=r"image\.json"):
        EXPORTER.load(tmp_path / "image.tflite", 1)


def test_a_file_without_a_description_has_its_own_names(tmp_path: Path, good: Path) -> None:
    (tmp_path / "image.tflite").write_bytes(good.read_bytes())
    runner = EXPORTER.load(tmp_path / "image.tflite", 1)
    assert [(s.name, s.dtype) for s in (*runner.inputs, *runner.outputs)] == [("pixels", "int8"), ("scores", "int8")]


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": None},
        {"other": np.zeros(1, np.float32)},
        {"pixels": np.zeros((1, 16, 16, 3), np.float64)},
        {"pixels": np.zeros((1, 16, 16, 3), np.int8)},
        {"pixels": np.full((1, 16, 16, 3), np.nan, np.float32)},
        {"pixels": np.zeros((16, 16, 3), np.float32)},
        {"pixels": np.zeros((2, 16, 16, 3), np.float32)},
        {"pixels": "text"},
        {"pixels": [[0.0]]},
    ],
)
def test_wrong_feeds(good: Path, change: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**pictures(1)[0], **change}.items() if value is not None}
    runner = EXPORTER.load(good, 1)
    with pytest.raises(BadInput) as caught:
        runner(wrong)
    assert "\n" not in caught.value.message
    assert runner(pictures(1)[0])["scores"].shape == (1, CLASSES)


def test_a_value_that_the_file_cannot_hold(tmp_path: Path) -> None:
    export(tmp_path, part=ATTENTION)
    runner = EXPORTER.load(tmp_path / "attention.tflite", 1)
    feed = sentences(1)[0]
    with pytest.raises(BadInput, match="int32 cannot hold"):
        runner({**feed, "tokens": np.full((1, 12), 1 << 40)})
    assert runner(feed)["y"].shape == (1, 12, 64)


def test_a_quantizer_that_fails_is_ours_to_say(tmp_path: Path) -> None:
    export(tmp_path)
    content = (tmp_path / "work" / "image.fp32.tflite").read_bytes()
    with pytest.raises(ExportFailed, match="could not quantize the part 'toy'"):
        _litert_int8.static(content, {}, "float", (), "toy")


def test_what_a_choice_is_made_of() -> None:
    assert _litert_choose.Choice("float", b"").kept == {}
    assert (
        _litert_file._module(b"pkg.Net/pkg.Sequential_blocks/a.b.Conv2d_0;;pkg.Net/torch.nn.Conv2d_conv_dw;1")
        == "conv_dw"
    )
    assert _litert_file._module("serving_default_output_0_output") == ""
    assert _litert_file._module("functional_1/dense_1/MatMul") == "dense_1/MatMul"


# --- real weights ----------------------------------------------------------------------------------------------------

PARAMETERS = 4_652_008


def split(data: Path, folder: Path) -> tuple[Path, Path]:
    """Data folders of the shared photos: every fifth to calibrate with, the others to test on."""
    with (data / "imagenet-sample" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, chosen in (("calibration", rows[::5]), ("test", [row for i, row in enumerate(rows) if i % 5])):
        (folder / name / "images").mkdir(parents=True)
        for row in chosen:
            shutil.copyfile(data / "imagenet-sample" / "images" / row["file"], folder / name / "images" / row["file"])
        with (folder / name / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [("file", "class_index"), *((row["file"], row["class_index"]) for row in chosen)]
            )
    return folder / "calibration", folder / "test"


@pytest.mark.real
def test_efficientnet(tmp_path: Path, shared_data: Path) -> None:
    """The published weights through the whole pipeline."""
    calibration, data = split(shared_data, tmp_path)
    found = {}
    for precision in ("fp32", "int8"):
        bundle = edgekit.export(
            "efficientnet-lite0", "laptop", exporter="litert", precision=precision, calibration=calibration,
            out=tmp_path / precision, fallback=False,
        )  # fmt: skip
        part = bundle.manifest.parts[0]
        top1 = edgekit.verify(bundle.path, data=data)["gate"].value
        found[precision] = (top1, (bundle.path / part.file).stat().st_size, part.census)
    assert found["fp32"][0] > 0.87
    top1, size, census = found["int8"]
    assert top1 >= found["fp32"][0] - 0.007
    assert size < 1.07 * PARAMETERS  # a scale and an int64 zero point for every channel, of weights and of biases
    assert census["transposes"] == 0
    # The one cast is of the pixels, which come as uint8.
    assert (census["weighted_int8"], census["float_layers"], census["float_operators"]) == (50, [], ["CAST"])
