"""Parts on emulated processors of phones: the same answers, and everything that can go wrong on the way."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.fake_replay import read_all
from helpers.toys.toy_onnx import X, calls, keep, toy_bundle
from numpy.typing import NDArray

from edgekit.errors import DeviceFailed, MissingExtra, ParityFailed
from edgekit.numerics.parity import sample_outputs
from edgekit.registry import find
from edgekit.targets.android.arm64 import emulated, kit, onnx
from edgekit.targets.common import agreement
from edgekit.targets.common import calls as calls_module

Rows = NDArray[Any]
PROVE = find("targets", "android").prove
EVERY = {
    "float": X,
    "half": X.astype(np.float16),
    "double": X.astype(np.float64),
    "byte": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    "signed": np.array([-128, 127], np.int8),
    "int": np.array([[-5]], np.int32),
    "long": np.array([1 << 40], np.int64),
    "flag": np.array([True, False]),
    "none": np.zeros((0, 3), np.float32),
    "scalar": np.array(3, np.int64),
}


@pytest.fixture(scope="session")
def tools() -> kit.Tools:
    try:
        return onnx.tools()
    except MissingExtra as exc:
        if os.environ.get("CI"):
            pytest.fail(f"{exc}, and CI is set")
        pytest.skip(str(exc))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path)


# ---------------------------------------------------------------------------------------------------- the file of calls


def test_calls_come_back_as_they_were(tmp_path: Path) -> None:
    calls_module.write(tmp_path / "calls", [EVERY, {}, {"x": X}])
    first, second, third = calls_module.read(tmp_path / "calls")
    assert list(first) == list(EVERY) and not second and list(third) == ["x"]
    for name, array in EVERY.items():
        assert first[name].dtype == array.dtype
        assert first[name].shape == array.shape
        assert np.array_equal(first[name], array)


def test_all_calls_have_equal_values_once(tmp_path: Path) -> None:
    same, other = {"a": X, "scalar": EVERY["scalar"]}, {"b": X.copy(), "c": X.reshape(4, 4)}
    calls_module.write_all(tmp_path / "all", [[same, other], [], [EVERY, same, {}]])
    parts = read_all(tmp_path / "all")
    assert [[list(call) for call in part] for part in parts] == [
        [["a", "scalar"], ["b", "c"]],
        [],
        [list(EVERY), ["a", "scalar"], []],
    ]
    assert parts[0][0]["a"] == parts[0][1]["b"] == (1, (2, 8), X.tobytes())
    assert parts[0][1]["c"] == (1, (4, 4), X.tobytes())
    assert [parts[2][0][name][1:] for name in EVERY] == [(array.shape, array.tobytes()) for array in EVERY.values()]
    # Ten different values, the other shape of X, and little else.
    assert (tmp_path / "all").stat().st_size < sum(array.nbytes for array in EVERY.values()) + X.nbytes + 800


def test_answers_that_were_cut_off_are_told(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    calls_module.write(file, [EVERY])
    whole = file.read_bytes()
    for length in [*range(0, 200, 7), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(DeviceFailed, match="cannot be read"):
            calls_module.read(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        struct.pack("<IIII", 0x31434B45, 1, 1, 0xFFFFFFFF),
        struct.pack("<I", 0x31434B45) + b"\xff" * 64,
    ],
)
def test_damaged_answers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "calls").write_bytes(content)
    with pytest.raises(DeviceFailed):
        calls_module.read(tmp_path / "calls")


# ---------------------------------------------------------------------------------------------------------- how far off


@pytest.mark.parametrize(
    ("there", "here", "found"),
    [
        ([0.0, 255.0], [0.0, 255.0], 0),
        ([0.0, 253.0], [0.0, 255.0], 2),
        ([1, 2], [1, 4], 2),
        ([5.0, 5.0], [5.0, 5.0], 0),
        ([5.0, 6.0], [5.0, 5.0], float("inf")),
        ([1.0], [1.0, 2.0], float("inf")),
        ([], [], 0),
    ],
)
def test_steps(there: list[float], here: list[float], found: float) -> None:
    assert emulated.steps([{"y": np.array(there)}], [{"y": np.array(here)}]) == found


def test_an_output_that_was_integers_is_off_by_one_whatever_it_spans() -> None:
    """A call may span a few of the 256 steps that calibration has given the output."""
    here = 0.25 * np.array([0.0, 1.0, 4.0, 9.0, 20.0])
    there = here + np.array([0.25, 0.0, -0.25, 0.0, 0.0])
    assert emulated.steps([{"y": there}], [{"y": here}]) == 1.0
    plain = here + np.array([0.0, 0.01, 0.0, 0.03, 0.0])  # no multiples of anything
    assert emulated.steps([{"y": plain + 0.25}], [{"y": plain}]) > 10


# ------------------------------------------------------------------------------------------------------ what is allowed


@pytest.mark.parametrize(
    ("census", "precision", "how"),
    [
        ({}, "fp32", "fp32"),
        ({"layers": {"a": {"form": "static"}}}, "fp16", "fp16"),
        ({"layers": {}}, "int8", "fp32"),
        ({"layers": {"a": {"form": "static"}, "b": {"form": "static"}}}, "int8", "static"),
        ({"layers": {"a": {"form": "float"}, "b": {"form": "static"}}}, "int8", "mixed"),
        ({"layers": {"a": {"form": "static"}, "b": {"form": "blockwise"}}}, "int8", "running"),
        ({"layers": {"a": {"form": "dynamic"}}}, "int8", "running"),
        ({"layers": {"a": {"form": "rows"}}}, "int8", "running"),
        ({"layers": {"a": {"form": "rows-6"}}}, "int8", "running"),
        ({"layers": {"a": {"form": "four-bit"}, "b": {"form": "blockwise-5"}}}, "int8", "running"),
        ({"layers": {"a": {"form": "static"}}, "operators": {"Conv": 1, "Tanh": 1}}, "int8", "mixed"),
        ({"operators": {"DynamicQuantizeLSTM": 3}}, "int8", "running"),
        ({"layers": {"a": {"form": "weight-only"}}}, "int8", "fp32"),
    ],
)
def test_how_a_part_computes(census: dict[str, Any], precision: str, how: str) -> None:
    assert agreement.arithmetic(census, precision) == how


@pytest.mark.parametrize(
    ("how", "off", "wrong"),
    [
        ("fp32", {"fp32": 0.04, "here": 1e-5, "steps": 3.0}, ""),
        ("fp32", {"fp32": 0.04, "here": 2e-4, "steps": 0.1}, "fp32 explains 0.01%"),
        ("static", {"fp32": 0.04, "here": 0.01, "steps": 1.0}, ""),
        ("static", {"fp32": 0.04, "here": 0.01, "steps": 1.5}, "static explains 1 steps"),
        ("mixed", {"fp32": 0.05, "here": 0.04, "steps": 9.0}, ""),
        ("mixed", {"fp32": 0.04, "here": 0.041, "steps": 9.0}, "is 4.00% from fp32, explains 4.00%"),
        ("mixed", {"fp32": 0.061, "here": 0.021, "steps": 9.0}, "the 4.00% that this machine is explains 6.00%"),
        ("running", {"fp32": 0.06, "here": 0.09, "steps": 30.0}, ""),
        ("running", {"fp32": 0.07, "here": 0.0, "steps": 0.0}, "the 4.00% that this machine is explains 6.00%"),
        ("running", {"fp32": float("nan"), "here": 0.0, "steps": 0.0}, "int8 explains"),
    ],
)
def test_what_each_arithmetic_explains(how: str, off: dict[str, float], wrong: str) -> None:
    with pytest.raises(ParityFailed, match=wrong) if wrong else nullcontext():
        agreement.check("part", "cortex-a53", "int8", off, how, 0.04)


#: A part with products of bytes and float arithmetic between them, as its manifest has it.
MIXED = {"name": "part", "census": {"layers": {"a": {"form": "static"}}, "operators": {"Conv": 1, "Tanh": 1}}}
#: Real ones, how far from fp32 on this machine and from here to there: ecapa-tdnn in int8, and efficientnet-lite0,
#: whose first two layers are in float.
COST, TIPPED = 0.104, 0.0216
PICTURES, FAR = 0.0368, 0.0241


def mixed(broken: Callable[[Rows, Rows], Rows], cost: float = COST) -> None:
    """Compare what a device answers to two calls of a part with what this machine did.

    Args:
        broken: what the device makes of fp32's and of this machine's answer. cost: how far these are from each other.
    """
    truth = np.random.default_rng(3).standard_normal((2, 192)).astype(np.float32)
    noise = np.random.default_rng(4).standard_normal((2, 192)).astype(np.float32)
    here = (truth + cost * noise).astype(np.float32)
    there = broken(truth, here).astype(np.float32)
    answers = [[{"y": row[None]} for row in rows] for rows in (there, here, truth)]
    golden = {f"part/{key}": value for key, value in sample_outputs([({}, one) for one in answers[2]]).items()}
    emulated.check_parity(onnx, MIXED, "int8", "cortex-a53", answers[0], answers[1], golden)


@pytest.mark.parametrize(("cost", "tipped"), [(COST, TIPPED), (PICTURES, FAR)])
def test_a_byte_that_tips_over_is_allowed(cost: float, tipped: float) -> None:
    mixed(lambda truth, here: here + tipped * np.random.default_rng(5).standard_normal(here.shape), cost)


@pytest.mark.parametrize(
    ("broken", "cost"),
    [
        pytest.param(lambda truth, here: np.zeros_like(here), COST, id="zeros"),
        pytest.param(lambda truth, here: np.roll(here, 1, axis=1), COST, id="permuted channels"),
        pytest.param(lambda truth, here: here[::-1], COST, id="answers to another input"),
        pytest.param(lambda truth, here: 0.93 * here, COST, id="a wrong scale"),
        pytest.param(lambda truth, here: here * (np.arange(192) % 64 > 0), COST, id="three channels of 192 lost"),
        pytest.param(lambda truth, here: here + 0.9 * (here - truth), COST, id="its rounding twice as coarse"),
        pytest.param(lambda truth, here: here + 0.9 * (here - truth), PICTURES, id="the same, of pictures"),
        pytest.param(lambda truth, here: 0.95 * here, PICTURES, id="a wrong scale, of pictures"),
        pytest.param(lambda truth, here: here + 0.8 * (here - truth), 0.25, id="and of a part that costs much"),
        pytest.param(lambda truth, here: here + 0.3 * (here - truth), 0.25, id="an absolute bound"),
    ],
)
def test_a_broken_kernel_is_refused(broken: Callable[[Rows, Rows], Rows], cost: float) -> None:
    with pytest.raises(ParityFailed, match=r"away from .* on cortex-a53"):
        mixed(broken, cost)


# --------------------------------------------------------------------------------------------------------------- absent


def test_without_tools_it_says_what_to_install(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingExtra, match=r"aarch64-linux-gnu-g\+\+, qemu-aarch64") as caught:
        PROVE(bundle, {})
    assert "make phone-tools" in caught.value.hint


def test_offline_it_says_that_the_runtime_is_absent(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKIT_OFFLINE", "1")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgekit.targets.android.arm64.kit.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("edgekit.targets.android.arm64.onnx.HEADERS", tmp_path)
    with pytest.raises(MissingExtra, match="onnxruntime for 64-bit Arm is not here"):
        PROVE(bundle, {})


def test_formats_without_a_runtime_are_not_measured(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace('"onnx"', '"coreml"'))
    assert "coreml" in PROVE(bundle, {})["not measured"]


# ------------------------------------------------------------------------------------------------------------- emulated


@pytest.mark.thorough
def test_a_part_gives_the_same_answers_on_every_processor(tools: kit.Tools, bundle: Path) -> None:
    found = PROVE(bundle, calls(bundle))
    assert found["device"] == "emulated-arm64"
    assert found["runtime"] == f"onnxruntime {onnx.LIBRARY.revision}"
    assert found["parts"]["toy"]["arithmetic"] == "fp32"
    assert all(found["parts"]["toy"][one]["here"] < 1e-5 for one in emulated.PROCESSORS)
    assert 1e7 < found["memory_at_most"] < 2e8


@pytest.mark.thorough
def test_another_answer_is_refused(tools: kit.Tools, bundle: Path) -> None:
    wrong = calls(bundle)
    wrong["toy"][1][1]["y"][0, 0] += 0.1
    with pytest.raises(ParityFailed, match="away from this machine's answer on cortex-a53"):
        PROVE(bundle, wrong)


@pytest.mark.thorough
def test_what_is_far_from_fp32_is_refused(tools: kit.Tools, bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace("fp32", "int8"))
    keep(bundle, 3)
    with pytest.raises(ParityFailed, match="away from the fp32 reference on cortex-a53"):
        PROVE(bundle, calls(bundle))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda bundle: (bundle / "toy.onnx").write_bytes(b"nonsense"), "toy.onnx failed on the emulated"),
        (lambda bundle: (bundle / "toy.onnx").unlink(), "toy.onnx failed on the emulated"),
    ],
)
def test_a_part_that_does_not_load(tools: kit.Tools, bundle: Path, spoil: Any, message: str) -> None:
    made = calls(bundle)
    spoil(bundle)
    with pytest.raises(DeviceFailed, match=message):
        PROVE(bundle, made)


@pytest.mark.thorough
def test_inputs_that_the_part_does_not_take(tools: kit.Tools, bundle: Path) -> None:
    with pytest.raises(DeviceFailed, match="failed on the emulated cortex-a76"):
        emulated.emulate(tools, bundle / "toy.onnx", [{"z": X}], "cortex-a76")


@pytest.mark.thorough
def test_a_program_that_hangs_is_stopped(tools: kit.Tools, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.targets.android.arm64.emulated._SECONDS", 0.01)
    with pytest.raises(DeviceFailed, match="did not come to an end within"):
        PROVE(bundle, calls(bundle))


@pytest.mark.thorough
def test_a_library_that_is_none(tools: kit.Tools, bundle: Path) -> None:
    broken = tools._replace(library=bundle / "toy.onnx")
    with pytest.raises(DeviceFailed, match=r"invalid ELF header|file too short"):
        emulated.emulate(broken, bundle / "toy.onnx", [], "cortex-a53")
