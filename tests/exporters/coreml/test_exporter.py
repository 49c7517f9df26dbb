"""The Core ML exporter: every precision, the package, failures."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.coreml_cases import export, small_part
from helpers.cases.litert_cases import ATTENTION, CLASSES, IMAGE, calls, pictures, sentences
from torch import Tensor, nn

import edgekit
from edgekit.core import Axis, Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed, MissingExtra, Unsupported
from edgekit.exporters.coreml import EXPORTER, candidates, convert
from edgekit.exporters.coreml.compress import FEW
from edgekit.numerics.layers import SMALL
from edgekit.numerics.parity import limit_of, part_error
from edgekit.runtimes.coreml import RUNTIME

pytestmark = pytest.mark.thorough

#: How far a small network may be from fp32: fp16 has 11 bits; the others are what so few weights come to.
EXPECTED = {"fp32": 1e-5, "fp16": 5e-3, "int8": 3e-2, "int6": 0.1, "int4": 0.25}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    export(folder)
    return folder / "image.mlpackage"


# --- precisions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [IMAGE, ATTENTION], ids=lambda part: part.name)
@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_every_precision(tmp_path: Path, precision: str, part: Part) -> None:
    made = export(tmp_path, precision, part=part)
    runner = RUNTIME.load(tmp_path / made.file, 1)
    assert runner.inputs == part.inputs
    assert runner.outputs == part.outputs
    proven = calls(part, (pictures if part is IMAGE else sentences)(4))
    error = part_error(runner, proven)
    assert error <= EXPECTED[precision] <= limit_of(precision)
    assert error > 0 or precision == "fp32"
    for feeds, expected in proven:
        for name, value in runner(feeds).items():
            assert value.dtype == expected[name].dtype


@pytest.mark.parametrize(
    ("precision", "options", "said"),
    [
        ("int3", {}, "no precision 'int3'"),
        ("fp16", {"speed": 1}, "no option 'speed'"),
        ("fp16", {"ios": 15}, "no value 15"),
        ("int4", {"form": "block", "ios": 17}, "form block .* for every layer, need iOS 18; iOS 17"),
        ("int6", {"form": "grouped", "ios": 16}, "a palette for every 8 output channels.* need iOS 18; iOS 16"),
        ("int4", {"keep": "all"}, "no value 'all'"),
        ("fp16", {"shapes": "any"}, "no value 'any'"),
        ("int8", {"form": "block"}, "no value 'block' for int8"),
        ("int4", {"form": "nice"}, "no value 'nice'"),
    ],
)
def test_what_it_does_not_know(tmp_path: Path, precision: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        export(tmp_path, precision, options)


@pytest.mark.parametrize("ios", [16, 17, 18])
def test_every_system(tmp_path: Path, ios: int) -> None:
    export(tmp_path, "int8", {"ios": ios})
    runner = RUNTIME.load(tmp_path / "image.mlpackage", 1)
    assert part_error(runner, calls(IMAGE, pictures(2))) < EXPECTED["int8"]


class Uneven(nn.Module):
    """A layer whose inputs make whole blocks of 32, and one whose do not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.whole, self.broken = nn.Linear(64, 48), nn.Linear(48, 64)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.broken(self.whole(x))
        return out


def test_layers_that_cannot_be_cut_into_blocks_are_named(tmp_path: Path) -> None:
    part = Part("toy", (TensorSpec("x", "float32", (1, 64)),), (TensorSpec("y", "float32", (1, 64)),), {},
                lambda checkpoint: Uneven())  # fmt: skip
    whole, broken = export(tmp_path, "int4", {"form": "block"}, part=part).census["layers"].values()
    assert whole["form"] == "int4"
    assert broken["form"] == "int8" and "cannot be divided" in broken["why"]
    with pytest.raises(ExportFailed, match="no layer became int4"):  # it has 48 channels everywhere
        export(tmp_path / "image", "int4", {"form": "block"})


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.head = nn.LSTM(64, 64, batch_first=True), nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(x)[0])
        return out


def test_what_is_mostly_not_int8_is_not_called_so(tmp_path: Path) -> None:
    part = Part("toy", (TensorSpec("x", "float32", (1, 6, 64)),), (TensorSpec("y", "float32", (1, 6, 64)),), {},
                lambda checkpoint: Recurrent())  # fmt: skip
    with pytest.raises(ExportFailed, match=r"only \d+% of the weights became int8 \(.*recurrent layers stay float"):
        export(tmp_path, "int8", part=part)
    with pytest.raises(Unsupported, match=r"keeps the weights of recurrent layers in fp32.* no smaller"):
        edgekit.export("ge2e-speaker", "ios", precision="int8", out=tmp_path / "bundle")


def test_what_is_refused_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("edgekit.pipeline.resolving.fetch")
    for options, said in (
        ({"speed": 1}, "no option 'speed'"),
        ({"ios": 15}, r"no value 15\.\s+It has: 16, 17, 18"),
        ({"ios": 17, "form": "grouped"}, r"need iOS 18; iOS 17 was asked for\.\s+Use -o ios=18"),
    ):
        with pytest.raises(Unsupported, match=said):
            edgekit.export("ds-cnn-kws", "ios", precision="int6", options=options, out=tmp_path / "bundle")


def test_a_newer_system_is_said(tmp_path: Path) -> None:
    """What coremltools says of a program of iOS 18 that is to run on iOS 16."""
    export(tmp_path, "int6")
    from coremltools import target
    from coremltools.converters.mil._deployment_compatibility import check_deployment_compatibility
    from coremltools.models import MLModel

    spec = MLModel(str(tmp_path / "image.mlpackage"), skip_model_load=True).get_spec()
    with pytest.raises(ValueError) as caught:
        check_deployment_compatibility(spec, "mlprogram", target.iOS16)
    assert convert.reason_of(caught.value, [])[1] == "Use -o ios=18."


def test_what_one_call_gives_the_next_one_takes(tmp_path: Path) -> None:
    """Core ML's own types, which a Swift app meets: the caches of a decoder go in as they came out."""
    export(tmp_path, "fp16", part=small_part(lambda x: x * 2, (1, 4), (1, 4)))
    from coremltools.models import MLModel

    described = MLModel(str(tmp_path / "toy.mlpackage"), skip_model_load=True).get_spec().description
    [given], [made] = described.input, described.output
    assert given.type.multiArrayType.dataType == made.type.multiArrayType.dataType
    assert given.shortDescription == made.shortDescription == "float32 [1, 4]"


def test_fit_knows_what_is_not_compressed() -> None:
    assert FEW == SMALL


def test_nothing_is_compressed_where_nothing_is_large(tmp_path: Path) -> None:
    part = Part("small", (TensorSpec("x", "float32", (1, 4)),), (TensorSpec("y", "float32", (1, 4)),), {},
                lambda checkpoint: nn.Linear(4, 4))  # fmt: skip
    with pytest.raises(ExportFailed, match="no layer became int8"):
        export(tmp_path, "int8", part=part)


class Spiky(nn.Module):
    """Three layers alike, but for one weight of every output of the second, beside which a scale loses the others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = nn.Linear(64, 64), nn.Linear(64, 48), nn.Linear(48, 64)
        with torch.no_grad():
            self.second.weight[:, 5] = 40.0
            self.first.weight[5] *= 0.001
            self.first.bias[5] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.third(torch.relu(self.second(self.first(x))))
        return out


@pytest.mark.parametrize(("precision", "options", "form"), [("int8", {}, "float"), ("int4", {"form": "block"}, "int8")])
def test_layers_that_lose_most_keep_more_bits(
    tmp_path: Path, precision: str, options: Mapping[str, Any], form: str
) -> None:
    module = Spiky()
    part = Part("toy", (TensorSpec("x", "float32", (4, 64)),), (TensorSpec("y", "float32", (4, 64)),), {},
                lambda checkpoint: module)  # fmt: skip
    feeds = [{"x": np.random.default_rng(i).standard_normal((4, 64)).astype(np.float32)} for i in range(3)]
    with torch.inference_mode():
        proven = [(one, {"y": module(torch.from_numpy(one["x"])).numpy()}) for one in feeds]
    made = export(tmp_path, "int8", part=part, feeds=feeds)
    first, second, third = made.census["layers"].values()
    assert second["form"] == "float" and "alone in int8 it moves the outputs by" in second["why"]
    assert first["form"] == third["form"] == "int8"
    kept = part_error(RUNTIME.load(tmp_path / made.file, 1), proven)
    assert kept < candidates.AIMS["int8"] * 1.1
    bare = export(tmp_path / "bare", "int8", {"keep": "none"}, part=part, feeds=feeds)
    assert part_error(RUNTIME.load(tmp_path / "bare" / bare.file, 1), proven) > 2 * kept
    assert all("alone" not in layer["why"] for layer in bare.census["layers"].values())


def test_layers_are_chosen_on_the_worst_of_the_inputs_wherever_it_is(tmp_path: Path) -> None:
    module = Spiky()
    with torch.no_grad():
        module.first.bias.zero_()  # an input of zeros tells nothing of the weights
    part = Part("toy", (TensorSpec("x", "float32", (4, 64)),), (TensorSpec("y", "float32", (4, 64)),), {},
                lambda checkpoint: module)  # fmt: skip
    silent = {"x": np.zeros((4, 64), np.float32)}
    loud = {"x": np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)}
    made = export(tmp_path, "int8", part=part, feeds=[silent, silent, loud, silent, silent])
    first, second, third = made.census["layers"].values()
    assert (first["form"], second["form"], third["form"]) == ("int8", "float", "int8")


# --- the package -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_two_exports_are_the_same_bytes(tmp_path: Path, precision: str) -> None:
    from coremltools.proto import Model_pb2

    for name in ("a", "b"):
        export(tmp_path / name, precision)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    # Another process has another order of the maps in a program, and tomorrow has another day.
    [model] = (tmp_path / "a").rglob("*.mlmodel")
    spec = Model_pb2.Model.FromString(model.read_bytes())
    assert model.read_bytes() == spec.SerializeToString(deterministic=True)
    assert not [key for key in spec.description.metadata.userDefined if "date" in key]


def test_nothing_of_this_machine_is_in_a_package(tmp_path: Path) -> None:
    export(tmp_path, "fp16")
    for file in (path for path in (tmp_path / "image.mlpackage").rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert str(tmp_path).encode() not in content
        assert str(Path(edgekit.__file__).parent).encode() not in content


def test_the_census_tells_what_is_in_the_file(tmp_path: Path) -> None:
    half, bytes_ = export(tmp_path, "fp16").census, export(tmp_path / "int8", "int8").census["bytes"]
    assert half["operators"]["conv"] == 3
    assert half["bytes"]["float16"] >= 2 * (48 * 27 + 48 * 48)
    assert half["compute"] == "fp16"
    weights = 48 * 48  # the others are too few to be compressed
    assert weights <= bytes_["int8"] < 1.5 * weights


def test_what_the_neural_engine_leaves_to_others_is_named(tmp_path: Path) -> None:
    part = small_part(nn.LSTM(8, 8, batch_first=True), (1, 5, 8), (1, 5, 8), first=True)
    assert export(tmp_path, part=part).census["not_on_neural_engine"] == ["lstm"]


def test_it_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(tmp_path, "int8")
    assert capfd.readouterr() == ("", "")


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, edgekit.exporters.coreml; assert not {'torch', 'coremltools', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtra, match="coreml"):
        export(tmp_path)
    with pytest.raises(MissingExtra, match="coreml"):
        RUNTIME.load(tmp_path, 1)


# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        raise ValueError("not today")


class Bessel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Lacking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, CLASSES), nn.Sequential(nn.ReLU(), Bessel()))

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.layers(pixels.mean((1, 2)))
        return out


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # coremltools drops a temporary folder
@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Untraceable, "not today"),
        (Lacking, r"Core ML has no operator for special_bessel_j0 \(layer layers.1.1\)"),
    ],
)
def test_a_module_that_cannot_be_exported(tmp_path: Path, module: type[nn.Module], said: str) -> None:
    part = Part("image", IMAGE.inputs, IMAGE.outputs, {}, lambda checkpoint: module())
    with pytest.raises(ExportFailed, match=f"'image' cannot become a Core ML program: .*{said}"):
        export(tmp_path, part=part)


def test_an_operator_that_is_lacking_comes_with_another_format() -> None:
    lacking = NotImplementedError("PyTorch convert function for op 'index_add' not implemented.")
    assert "--runtime onnxruntime" in convert.reason_of(lacking, [])[1]
    branching = NotImplementedError(
        "could not find kernel for HigherOrderOperator cond at dispatch key DispatchKey.???"
    )
    reason, hint = convert.reason_of(branching, [])
    assert "branches or loops (cond)" in reason and "--runtime onnxruntime" in hint
    assert convert.reason_of(ValueError("anything"), [])[1] == ""


@pytest.mark.parametrize("build", [None, lambda checkpoint: object()])
def test_a_part_without_a_module(tmp_path: Path, build: Any) -> None:
    with pytest.raises(ExportFailed, match="not a torch module"):
        export(tmp_path, part=Part("image", IMAGE.inputs, IMAGE.outputs, {}, build))


def test_an_axis_that_may_be_empty_is_refused(tmp_path: Path) -> None:
    """The converter takes it, and so does the interpreter; Core ML then fails on the device."""
    part = Part("toy", (TensorSpec("x", "float32", (1, "past", 6)),), (TensorSpec("y", "float32", (1, "past", 3)),),
                {"past": Axis(0, 50, 7)}, lambda checkpoint: nn.Linear(6, 3))  # fmt: skip
    with pytest.raises(ExportFailed, match="the axis 'past' of the part 'toy' may have length 0"):
        export(tmp_path, part=part)


@pytest.mark.parametrize("damage", ["absent", "empty", "garbage", "truncated", "no weights", "no contract", "manifest"])
def test_a_package_that_is_none(tmp_path: Path, good: Path, damage: str) -> None:
    file = tmp_path / "image.mlpackage"
    shutil.copytree(good, file)
    inside = file / "Data" / "com.apple.CoreML"
    program, weights = inside / "model.mlmodel", inside / "weights" / "weight.bin"
    if damage == "absent":
        shutil.rmtree(file)
    elif damage == "empty":
        program.write_bytes(b"")
    elif damage == "garbage":
        program.write_bytes(b"\xff" * 999)
    elif damage == "truncated":
        program.write_bytes(program.read_bytes()[:2000])
    elif damage == "no weights":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "no contract":
        program.write_bytes(program.read_bytes().replace(b"org.edgekit.part", b"org.another.part"))
    else:
        (file / "Manifest.json").write_text("{")
    with pytest.raises(BadInput) as caught:
        RUNTIME.load(file, 1)
    assert "image.mlpackage" in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": None},
        {"other": np.zeros(1, np.float32)},
        {"pixels": np.zeros((1, 16, 16, 3), np.float64)},
        {"pixels": np.zeros((16, 16, 3), np.float32)},
        {"pixels": np.zeros((2, 16, 16, 3), np.float32)},
        {"pixels": "text"},
    ],
)
def test_wrong_feeds(good: Path, change: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**pictures(1)[0], **change}.items() if value is not None}
    runner = RUNTIME.load(good, 1)
    with pytest.raises(BadInput):
        runner(wrong)
    assert runner(pictures(1)[0])["scores"].shape == (1, CLASSES)
