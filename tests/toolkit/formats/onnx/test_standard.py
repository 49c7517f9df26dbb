"""ONNX's own tests of its operators, on the torch modules that graphs become: right, or refused with a sentence.

Shapes, axes, bounds and scales, which exporters write as constants, are constants here, too: every input with one axis
at most but the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from edgekit.errors import EdgekitError
from edgekit.formats.onnx import load
from edgekit.formats.onnx.translation import translate

pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore::RuntimeWarning:onnx")]

#: Kind of test -> how many are right with onnx 1.23. Older versions have fewer.
RIGHT = {"node": 1435, "simple": 7, "pytorch-converted": 3, "pytorch-operator": 2}
COUNTED = tuple(map(int, onnx.__version__.split(".")[:2])) >= (1, 23)
#: Operators that no exporter of networks can do without.
WANTED = ("attention", "rotary_embedding", "nonmaxsuppression", "qlinearmatmul", "top_k", "resize")

Calls = Sequence[tuple[Sequence[Any], Sequence[Any]]]


@pytest.mark.parametrize("kind", RIGHT)
def test_right_or_refused(kind: str, tmp_path: Path) -> None:
    right, refused, wrong = list[str](), list[str](), dict[str, str]()
    for case, model, calls in _cases(kind):
        try:
            off = "; ".join(filter(None, (_difference(model, call, case, tmp_path) for call in calls)))
        except EdgekitError as exc:
            assert len(exc.message) > 20 and exc.hint
            refused.append(case.name)
        except Exception as exc:
            wrong[case.name] = repr(exc)
        else:
            wrong |= {case.name: off} if off else {}
            right += [] if off else [case.name]
    assert not wrong, wrong
    print(f"{kind}: {len(right)} right, {len(refused)} refused")
    if COUNTED:
        assert len(right) >= RIGHT[kind]
    if kind == "node":
        missing = [name for name in WANTED if not any(name in case for case in right)]
        assert not missing


def _cases(kind: str) -> Iterator[tuple[TestCase, onnx.ModelProto, Calls]]:
    """Those whose inputs and outputs are tensors of numbers."""
    for case in load_model_tests(kind=kind):
        folder = Path(case.model_dir or "")
        model = case.model or onnx.load(folder / "model.onnx")
        values = [*model.graph.input, *model.graph.output]
        if any(value.type.tensor_type.elem_type in (0, onnx.TensorProto.STRING) for value in values):
            continue
        calls = case.data_sets or [
            (_stored(place, "input"), _stored(place, "output")) for place in sorted(folder.glob("test_data_set_*"))
        ]
        yield case, model, [([_array(x) for x in inputs], [_array(y) for y in outputs]) for inputs, outputs in calls]


def _stored(folder: Path, what: str) -> list[onnx.TensorProto]:
    files = sorted(folder.glob(f"{what}_*.pb"), key=lambda file: int(re.sub(r"\D", "", file.stem)))
    return [onnx.TensorProto.FromString(file.read_bytes()) for file in files]


def _array(value: Any) -> np.ndarray[Any, Any]:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _difference(model: onnx.ModelProto, call: tuple[Sequence[Any], Sequence[Any]], case: TestCase, folder: Path) -> str:
    """What the translated graph answers otherwise; "" where it answers the same."""
    given = dict(zip((value.name for value in model.graph.input), call[0], strict=False))
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    held = [name for place, (name, array) in enumerate(given.items()) if place and array.ndim < 2]
    fixed.graph.initializer.extend(numpy_helper.from_array(given[name], name) for name in held)
    onnx.save(fixed, folder / "model.onnx")
    loaded = load(folder / "model.onnx")
    tensors = [torch.from_numpy(given[value.name].copy()) for value in loaded.graph.input]
    with torch.inference_mode():
        answers = translate(loaded, tensors)(*tensors)
    answers = answers if isinstance(answers, tuple) else (answers,)
    assert len(answers) == len(call[1])
    return "; ".join(filter(None, (_off(a.numpy(), b, case) for a, b in zip(answers, call[1], strict=True))))


def _off(answer: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], case: TestCase) -> str:
    if (answer.shape, answer.dtype) != (truth.shape, truth.dtype):
        return f"{answer.dtype}{answer.shape} instead of {truth.dtype}{truth.shape}"
    limits = (case.rtol, case.atol) if truth.dtype.kind in "fc" else (0, 0)
    same = np.allclose(answer, truth, *limits, equal_nan=truth.dtype.kind in "fc")
    return "" if same else f"{answer.reshape(-1)[:4]} instead of {truth.reshape(-1)[:4]}"
