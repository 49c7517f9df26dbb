"""Where a long sound is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.models.common.silero.part import FACTS
from edgekit.models.whisper.loop.cuts import batch_windows, pack_windows, pieces, speech_in
from edgekit.tasks.voice_activity_detection import Listener


class Ear(Runner):
    """A detector that hears speech where the sound is loud."""

    inputs = tuple(TensorSpec(name, "float32", (1, 128)) for name in ("h", "c"))
    outputs = ()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        loud = np.abs(feeds["audio"]).max() > 0.1
        return {"probability": np.array([[float(loud)]]), "h_after": feeds["h"], "c_after": feeds["c"]}


def test_windows_hold_whole_stretches_and_no_long_pause() -> None:
    spans = [(1.0, 9.0), (9.5, 20.0), (21.0, 29.0), (32.0, 40.0), (40.6, 66.0), (90.0, 91.0)]
    windows = pack_windows(spans)
    assert windows == [(1.0, 29.0), (32.0, 40.0), (40.6, 66.0), (90.0, 91.0)]
    assert all(end - start <= 30 for start, end in windows)
    assert pack_windows([]) == []


@pytest.mark.parametrize("seconds", [4.0, 61.7])
def test_speech_in_a_sound(seconds: float) -> None:
    sound = np.zeros(round(seconds * 16_000), np.float32)
    sound[16_000:40_000] = 0.5
    (span,) = speech_in(Listener(Ear(), FACTS), sound, 16_000)
    assert span[0] == pytest.approx(0.75, abs=0.05) and span[1] == pytest.approx(2.75, abs=0.05)


def test_pieces_of_a_window_that_is_too_long() -> None:
    assert pieces((1.0, 31.0)) == [(1.0, 31.0)]
    assert pieces((1.0, 66.5)) == [(1.0, 31.0), (31.0, 61.0), (61.0, 66.5)]


def test_windows_that_are_alike_go_together() -> None:
    windows = [(0.0, 29.0), (30.0, 56.0), (57.0, 85.0), (90.0, 118.0), (120.0, 121.0), (130.0, 158.0)]
    groups = batch_windows(windows, 3, lambda seconds: max(15.0, seconds))
    assert groups == [windows[:3], windows[3:4], windows[4:5], windows[5:]]
    assert [window for group in groups for window in group] == windows
    assert batch_windows(windows, 1, float) == [[window] for window in windows]
    assert batch_windows([], 3, float) == []
