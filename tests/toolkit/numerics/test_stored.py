"""Inputs of calls in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekit.common.files import describe_content
from edgekit.core import Runner
from edgekit.numerics.parity import Recorder
from edgekit.numerics.stored import StoredFeeds


class Doubler(Runner):
    inputs, outputs = (), ()

    def __call__(self, feeds: Any) -> Any:
        return {"y": feeds["x"] * 2}


def calls() -> list[dict[str, Any]]:
    """A decoder's: `said` is the same for all calls, and each array an object of its own."""
    said = np.arange(12, dtype=np.float32).reshape(3, 4)
    return [
        {"x": np.full((i, 2), i, np.int64), "said": said[:], "turned": said.T, "alone": np.array(i, np.int32)}
        for i in range(5)
    ]


def test_calls_are_read_as_they_were(tmp_path: Path) -> None:
    stored = StoredFeeds(tmp_path / "calls")
    for feeds in calls():
        stored.append(feeds)
    stored.close()
    assert len(stored) == 5 and len(stored[1::2]) == 2
    for read, feeds in zip([*stored, *stored[3:], stored[-1]], [*calls(), *calls()[3:], calls()[-1]], strict=True):
        assert read.keys() == feeds.keys()
        for name, value in feeds.items():
            assert read[name].dtype == value.dtype and read[name].shape == value.shape
            assert np.array_equal(read[name], value)


def test_what_calls_share_is_written_and_read_once(tmp_path: Path) -> None:
    stored = StoredFeeds(tmp_path / "calls")
    said = calls()[0]["said"]
    for i in range(100):
        stored.append({"said": said[:], "x": np.array(i)})
    assert (tmp_path / "calls").stat().st_size == said.nbytes + 100 * 8
    read = list(stored)
    assert all(feeds["said"] is read[0]["said"] for feeds in read)


def test_their_description_is_that_of_their_content(tmp_path: Path) -> None:
    one, same, other = (StoredFeeds(tmp_path / name) for name in ("one", "same", "other"))
    for i, feeds in enumerate(calls()):
        one.append(feeds)
        same.append({name: value.copy() for name, value in feeds.items()})
        other.append({**feeds, "x": feeds["x"] + (i == 4)})
    told = [describe_content({"decoder": stored}) for stored in (one, same, other)]
    assert told[0] == told[1] != told[2]


def test_a_recorder_keeps_inputs_alone_once_it_is_told_to(tmp_path: Path) -> None:
    recorder = Recorder(Doubler(), store=StoredFeeds(tmp_path / "calls"))
    for i in range(3):
        recorder({"x": np.full(2, i)})
        recorder.keep_feeds()
    recorder.close()
    recorder({"x": np.ones(2)})
    assert len(recorder.calls) == 1
    assert [int(feeds["x"][0]) for feeds in recorder.feeds] == [0, 1, 2]
