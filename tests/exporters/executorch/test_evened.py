"""Channels of a graph of torch operators evened out: the same function, and less lost in int8.

Only functions import ExecuTorch. Its import takes seconds, and every run imports this file to look for tests.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.toys.tiny_stream import BANDS, FRAMES, PART, TinyStream, sounds
from helpers.toys.tiny_vision import quiet

from edgekit.quantization.candidates import Truth
from edgekit.quantization.weights.streams import better

pytestmark = pytest.mark.thorough


def candidates(unlike: float = 2.0) -> Any:
    from edgekit.exporters.executorch.candidates import ExecutorchCandidates
    from edgekit.exporters.executorch.tidy import tidy

    graph: Any = torch.export.export(TinyStream(unlike).eval(), (torch.zeros(1, BANDS, FRAMES),)).module()
    tidy(graph)
    return ExecutorchCandidates(graph, PART, sounds(40), quiet)


@pytest.fixture(scope="module")
def unlike() -> Any:
    return candidates()


def test_the_function_is_the_same(unlike: Any) -> None:
    made, fresh = unlike.equalize_channels(), sounds(10, seed=1)
    assert Truth(unlike.run(None, fresh)).error(made.run(None, fresh)) < 1e-5


def test_it_is_taken_where_int8_loses_less_by_it(unlike: Any) -> None:
    made = unlike.equalize_channels()
    taken, facts = better(unlike, made)
    assert taken is made
    assert facts["evened"]["after"] < 0.8 * facts["evened"]["before"]
    fresh = sounds(20, seed=3)
    truth = Truth(unlike.run(None, fresh))
    errors = [truth.error(each.run(each.nearest(), fresh)) for each in (unlike, made)]
    assert errors[1] < 0.8 * errors[0]


def test_where_it_does_not_help_the_first_is_kept(unlike: Any) -> None:
    assert better(unlike, unlike) == (unlike, {})


def test_alike_channels_stay_as_they_are() -> None:
    assert candidates(unlike=0.1).equalize_channels() is None
