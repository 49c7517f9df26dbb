"""Parity and the golden input: what counts as computing the same, and references that nobody should trust."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_model import forge
from helpers.toys.toys import damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgekit
from edgekit.bundles import golden
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Part, Recipe, Runner, TensorSpec
from edgekit.errors import BadInput, EdgekitError, ParityFailed
from edgekit.formats import gguf
from edgekit.numerics.parity import (
    FLOAT_PART,
    LIMITS,
    Recorder,
    chain_limit_of,
    coarsest,
    limit_of,
    measured_limits,
    part_error,
    part_precision,
    relative_error,
    repeat_limit,
    sample_outputs,
)
from edgekit.registry import names
from edgekit.runtimes.torch.runner import reference_of

ONES = np.ones(4, np.float32)


@pytest.mark.parametrize(
    "actual, expected, error",
    [
        (ONES, ONES, 0.0),
        (ONES * 1.1, ONES, 0.1),
        (ONES * 0, ONES, 1.0),
        (ONES, ONES * 0, 2.0),  # against nothing, the difference itself
        (ONES * 0, ONES * 0, 0.0),
        (ONES[:3], ONES, np.inf),
        (ONES.reshape(2, 2), ONES, np.inf),
        (ONES * np.nan, ONES, np.inf),
        (ONES * np.inf, ONES, np.inf),
        (ONES, ONES * np.nan, np.inf),
        (ONES, ONES * np.inf, np.inf),
        (ONES * np.nan, ONES * np.nan, np.inf),
        (ONES * 1e30, ONES * 2e30, 0.5),  # squares that float32 does not hold
        (ONES[:0], ONES[:0], 0.0),
        (ONES.astype(np.float16), ONES, 0.0),
        (np.array([3, 4]), np.array([3, 4]), 0.0),
        (np.array([True, False]), np.array([True, True]), 2**-0.5),
    ],
)
def test_relative_error(actual: Any, expected: Any, error: float) -> None:
    assert relative_error([{"x": actual}], [{"x": expected}]) == pytest.approx(error, abs=1e-6)
    good = {"x": ONES}
    assert relative_error([good, {"x": actual}, good], [good, {"x": expected}, good]) == pytest.approx(error, abs=1e-6)


def test_what_is_absent_or_was_never_called_is_infinitely_far() -> None:
    assert relative_error([{}], [{"x": ONES}]) == np.inf
    assert relative_error([], []) == np.inf
    with pytest.raises(ValueError, match="zip"):
        relative_error([{"x": ONES}], [])


class Doubler(Runner):
    inputs, outputs = (), ()

    def __call__(self, feeds: Any) -> Any:
        return {"y": feeds["x"] * 2}


def test_a_recorder_remembers_the_first_calls_until_it_is_closed() -> None:
    recorder = Recorder(Doubler(), keep=2)
    for i in range(3):
        assert recorder({"x": ONES * i})["y"][0] == 2 * i
    assert [call[1]["y"][0] for call in recorder.calls] == [0, 2]
    recorder = Recorder(Doubler())
    recorder({"x": ONES})
    recorder.close()
    recorder({"x": ONES})
    assert len(recorder.calls) == 1


def test_part_error_looks_at_calls_spread_over_all() -> None:
    calls = [({"x": ONES * i}, {"y": ONES * (2 * i if i < 90 else 0)}) for i in range(1, 100)]
    assert part_error(Doubler(), calls[:80]) == 0
    for count in (90, 91, 99):  # a decoder's errors grow towards the end
        assert part_error(Doubler(), calls[:count]) > 1
    assert part_error(Doubler(), calls[80:90]) > 1
    assert part_error(Doubler(), []) == np.inf


def test_samples_are_few_and_spread() -> None:
    outputs = {"y": np.arange(10_000, dtype=np.float64).reshape(100, 100)}
    found = sample_outputs([({}, outputs), ({}, outputs), ({}, outputs)])
    assert set(found) == {"0/y", "1/y"}
    assert found["0/y"].dtype == np.float32 and 1024 < found["0/y"].size <= 2048 and found["0/y"][-1] > 9_000


def test_a_limit_is_of_a_runtime_and_a_precision() -> None:
    for (runtime, precision), limit in measured_limits().items():
        assert 0 < limit <= LIMITS[precision] and runtime in names("runtimes")
        assert limit_of(precision, runtime=runtime) == limit
    assert limit_of(FLOAT_PART) < 0.05, "5 % in a part that is float is an error"
    recipe = Recipe("onnxruntime", "int8")
    assert (part_precision(recipe, quantize=False), part_precision(recipe, quantize=True)) == (FLOAT_PART, "int8")


@pytest.mark.parametrize(
    ("precision", "known", "limit"),
    [("int8", 0.1, 0.15), ("int8", 1e-3, 5e-3), ("int8", 1e-6, 1e-3), ("fp32", 1e-6, 1e-3), ("fp16", 1e-3, 0.02)],
)
def test_computed_again_a_part_is_as_near_as_it_was(precision: str, known: float, limit: float) -> None:
    assert repeat_limit(precision, known, 0.5) == pytest.approx(limit)
    assert repeat_limit(precision, known, limit / 2) == limit / 2


def test_limits() -> None:
    assert LIMITS["fp32"] < LIMITS["fp16"] < LIMITS["int8"]
    assert limit_of("fp16") == LIMITS["fp16"]
    assert limit_of("q4_k_m") == LIMITS["int8"]


@pytest.mark.parametrize("precision", sorted({*LIMITS, *gguf.FILE_TYPES, "another package's"}))
def test_no_precision_explains_an_answer_of_zeros(precision: str) -> None:
    for limit in (limit_of(precision), chain_limit_of(precision)):
        assert limit < relative_error([{"x": 0 * ONES}], [{"x": ONES}])


# ---------------------------------------------------------------------------------------------------- golden references


def reference(bundle: Path) -> dict[str, Any]:
    with np.load(bundle / "golden" / "reference.npz") as arrays:
        return dict(arrays)


def rewrite(bundle: Path, **arrays: Any) -> None:
    np.savez(bundle / "golden" / "reference.npz", **arrays)
    forge(bundle)


@pytest.mark.parametrize(("part", "share"), [("frontend", 0.05), ("network", 2.0)])
def test_a_finished_bundle_is_held_to_what_was_measured(bundle: Path, part: str, share: float) -> None:
    """5 % in one part that is float, and twice the usual distance of an int8 one, are no rounding."""
    errors = open_bundle(bundle).manifest.golden.errors
    assert errors["frontend"] < 1e-5 < 0.01 < errors["network"] < 0.03, errors
    edgekit.verify(bundle)
    held = reference(bundle)
    [name] = [name for name in held if name.startswith(part)]
    far = (share if share < 1 else share * errors[part]) * np.sqrt(np.square(held[name]).mean())
    rewrite(bundle, **{**held, name: held[name] + np.resize([far, -far], held[name].shape).astype(np.float32)})
    with pytest.raises(ParityFailed, match=f"the part '{part}' is"):
        edgekit.verify(bundle)


def test_an_altered_reference_is_a_parity_failure(bundle: Path) -> None:
    held = reference(bundle)
    assert set(held) == {"frontend/0/features", "network/0/scores"}
    rewrite(bundle, **{**held, "network/0/scores": held["network/0/scores"] * -1})
    with pytest.raises(ParityFailed, match="the part 'network' is 199"):
        edgekit.verify(bundle)


@pytest.mark.parametrize("how", ["a part less", "an output more", "another shape", "nan"])
def test_a_reference_of_something_else_is_refused(bundle: Path, how: str) -> None:
    held = reference(bundle)
    if how == "a part less":
        del held["network/0/scores"]
    elif how == "an output more":
        held["network/1/scores"] = held["network/0/scores"]
    else:
        held["network/0/scores"] = np.full(3 if how == "nan" else 4, np.nan if how == "nan" else 1, np.float32)
    rewrite(bundle, **held)
    with pytest.raises(ParityFailed, match="network"):
        edgekit.verify(bundle)


def test_a_reference_that_is_silent_about_an_output_proves_nothing() -> None:
    recorder = Recorder(Doubler())
    for _ in range(2):
        recorder({"x": ONES})
    whole = golden.reference_of({"a": recorder})
    assert golden.compare({"a": recorder}, whole, {"a": 1e-3}) == {"a": 0}
    for reference in ({"a/0/y": whole["a/0/y"]}, {}):
        with pytest.raises(ParityFailed, match="other outputs"):
            golden.compare({"a": recorder}, reference, {"a": 1e-3})


def test_another_answer_is_a_parity_failure(bundle: Path) -> None:
    forge(bundle, lambda raw: raw["golden"].update(output="\x1b[31mperhaps"))
    with pytest.raises(ParityFailed, match=r"says '\\x1b\[31mperhaps'"):
        edgekit.verify(bundle)


class Trap:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


def test_pickles_bombs_and_other_rubbish_are_refused(bundle: Path) -> None:
    def entry(data: bytes, name: str = "network/0/scores.npy") -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        return buffer.getvalue()

    trapped = io.BytesIO()
    np.save(trapped, np.array([Trap()], dtype=object), allow_pickle=True)
    huge = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999,), }".ljust(
        118
    )
    bomb, whole = io.BytesIO(), io.BytesIO()
    np.save(bomb, np.zeros(2**25, np.float32))
    np.save(whole, np.zeros(3, np.float64))
    for data in (
        *(b"", b"PK", pickle.dumps(Trap()), entry(trapped.getvalue()), entry(pickle.dumps(Trap())), entry(huge)),
        *(entry(bomb.getvalue()), entry(whole.getvalue()), entry(b"text", "network/0/scores"), entry(b"")),
    ):
        (bundle / "golden" / "reference.npz").write_bytes(data)
        forge(bundle)
        with pytest.raises(BadInput, match="golden reference"):
            edgekit.verify(bundle)


@given(draw=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_reference_never_ends_in_anything_else(bundle: Path, draw: st.DataObject) -> None:
    whole = bundle.parent / "whole.npz"
    if not whole.exists():
        shutil.copy(bundle / "golden" / "reference.npz", whole)
    broken = bundle.parent / "reference.npz"
    broken.write_bytes(damage(whole.read_bytes(), draw))
    with contextlib.suppress(BadInput):
        golden.read_reference(broken)


def test_a_golden_input_that_was_swapped_is_noticed(bundle: Path, toy: Any) -> None:
    (bundle / "golden" / "input.txt").write_text("1\n2\n3\n")
    forge(bundle)
    with pytest.raises(EdgekitError):
        edgekit.verify(bundle)


def test_the_same_reference_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    data = []
    for _ in range(2):
        golden.write_reference({"a/0/x": ONES}, tmp_path)
        data.append((tmp_path / "golden" / "reference.npz").read_bytes())
    assert data[0] == data[1]
    assert (
        json.dumps({name: value.tolist() for name, value in reference(tmp_path).items()})
        == '{"a/0/x": [1.0, 1.0, 1.0, 1.0]}'
    )


@pytest.mark.parametrize("quantize, threads", [(False, 1), (True, 2)])
def test_a_frontend_runs_on_one_thread_and_leaves_the_others_theirs(quantize: bool, threads: int) -> None:
    torch = pytest.importorskip("torch")

    class Counted(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x + torch.get_num_threads()

    spec = TensorSpec("x", "float32", (1,))
    runner = reference_of(Part("p", (spec,), (replace(spec, name="y"),), {}, None, quantize), Counted())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert runner({"x": np.zeros(1, np.float32)})["y"].item() == threads
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({}, 0.25),
        ({"form": {"encoder": "blockwise"}, "bits": {}}, 0.25),
        ({"form": {"encoder": "four-bit"}}, 0.5),
        ({"forms": {"encoder": "four-bit"}}, 0.5),
        ({"bits": {"decoder": 5.5}}, 0.5),
        ({"bits": 5.5}, 0.5),
        ({"form": "four-bit"}, 0.5),
        ({"form": "static"}, 0.25),
    ],
)
def test_four_bits_in_some_products_explain_more(options: dict[str, Any], limit: float) -> None:
    assert limit_of(coarsest("int8", options)) == limit
