"""Every operator that is translated, against onnxruntime, in several versions of ONNX's operators."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.onnx_operators import heavy, simple
from helpers.cases.onnx_operators.case import Case
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from edgekit.common.processors import overflows_on_bytes
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.onnx.translation import translate
from edgekit.formats.onnx.translation.evaluation import operator_names
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

CASES: dict[str, list[Case]] = defaultdict(list)
for case in (*simple.CASES, *heavy.CASES):
    CASES[case.kind].append(case)
#: What `fusion` makes of others; their cases are among those.
OWN = {kind for kind in operator_names() if kind.startswith("edgekit.")}
#: What torch orders or rounds otherwise, within what ONNX leaves open.
LIMIT = 1e-4


@pytest.mark.parametrize("kind", sorted(set(operator_names()) - OWN))
def test_equals_onnxruntime(kind: str) -> None:
    assert CASES[kind], f"no case tries {kind}"
    tried = 0
    for case in CASES[kind]:
        for version in case.versions:
            tried += _compared(case, version)
    assert tried, f"onnxruntime runs no case of {kind}"


def _compared(case: Case, version: int) -> int:
    model, feeds = case.model(version)
    what = f"{case.kind} {version} {case.attributes}"
    try:
        if overflows_on_bytes() and case.kind in ("MatMulInteger", "QLinearMatMul"):
            wanted = list(ReferenceEvaluator(model).run(None, dict(feeds)))  # onnxruntime adds in 16 bits here
        else:
            wanted = list(OnnxRunner(model.SerializeToString(), 1)(feeds).values())
    except BadInput:  # a form that onnxruntime itself lacks
        return 0
    tensors = [torch.from_numpy(array) for array in feeds.values()]
    try:
        made = translate(model, tensors)(*tensors)
    except Unsupported as exc:
        raise AssertionError(f"{what}: {exc}") from exc
    answers: tuple[Any, ...] = made if isinstance(made, tuple) else (made,)
    assert len(answers) == len(wanted), what
    for answer, truth in zip(answers, wanted, strict=True):
        _same(answer.detach().numpy(), truth, what)
    return 1


def _same(answer: NDArray[Any], truth: NDArray[Any], what: str) -> None:
    assert (answer.shape, answer.dtype) == (truth.shape, truth.dtype), what
    if truth.dtype.kind == "f":
        np.testing.assert_allclose(answer, truth, rtol=LIMIT, atol=LIMIT, err_msg=what)
    else:
        np.testing.assert_array_equal(answer, truth, err_msg=what)
