"""The issue's bars against other tools, on all clips and five minutes. An hour or more on two quiet cores.

Small checks of the harness itself are here too; they need no other tool and no weights.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import compare_whisper  # noqa: E402
from _figures import Bar, accuracies, bars, ratio_of_totals  # noqa: E402
from _models import INSTALL  # noqa: E402
from _turns import Section  # noqa: E402
from make_ggml import q8_0  # noqa: E402

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def outcome() -> compare_whisper.Outcome:
    plan = compare_whisper.Plan(shared=SHARED)
    if not plan.peers.is_file():
        pytest.skip(f"the peers are not installed; run: {INSTALL}")
    if not (SHARED / "data").is_dir():
        pytest.skip("the data sets are not on this machine")
    return compare_whisper.compare(plan)


def bar(outcome: compare_whisper.Outcome, what: str) -> Bar:
    return next(bar for bar in outcome.bars if bar.what == what)


@pytest.mark.peers
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    "what",
    ["time, clips", "time, long", "WER, int8 minus fp32", "peak memory, clips", "peak memory, long"],
)
def test_a_bar_is_met(outcome: compare_whisper.Outcome, what: str) -> None:
    found = bar(outcome, what)
    assert found.verdict == "met", f"{found}\n{outcome.markdown}"


def test_the_ratio_of_totals_is_within_its_interval_and_weighs_long_sounds_more() -> None:
    ours, theirs = [[1.0, 1.1, 0.9], [4.0, 4.0, 4.0]], [[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]
    found = ratio_of_totals(ours, theirs)
    assert found.value == pytest.approx(5 / 6)
    assert 0.45 <= found.low <= found.value <= found.high <= 1.0


def test_one_value_has_no_interval() -> None:
    section = Section("long", [300.0], 1, wall={"edgekit": [[1.0]], "faster-whisper-int8": [[4.0]]})
    found = bars([section], [], seed=1)[0]
    assert (found.value, found.verdict) == (0.25, "undecided")
    assert found.raw()["high"] is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.2, 0.5, "met"), (0.08, 0.71, "undecided"), (0.6, 0.7, "missed"), (0.5, 0.6, "undecided")],
)
def test_an_interval_that_crosses_the_bar_is_undecided(low: float, high: float, verdict: str) -> None:
    assert Bar("x", 0.5, (low + high) / 2, low, high).verdict == verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.798, "met"), (0.993, "undecided"), (1.004, "undecided"), (1.02, "missed")]
)
def test_a_peak_of_memory_near_the_bar_is_undecided(value: float, verdict: str) -> None:
    assert Bar("peak memory", 1.0, value).verdict == verdict


def test_the_published_words_follow_from_the_published_figures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "peers.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in page.split("## The bars")[1].split("\n## ")[0].splitlines()
        if line.startswith("| ")
    ]
    judged = {cells[0]: _published(cells) for cells in rows[1:]}
    assert len(judged) == 5 and all(bar.verdict == word for bar, word in judged.values()), judged


def _published(cells: Sequence[str]) -> tuple[Bar, str]:
    most, value, *ends = (float(text.split()[0]) for text in (*cells[2:4], *filter(None, cells[4].split(" to "))))
    return Bar(cells[0], most, value, *ends), cells[5]


def test_an_absent_rival_is_not_measured() -> None:
    section = Section("clips", [3.0], 1, wall={"edgekit": [[3.0]]})
    assert {found.verdict for found in bars([section], [], seed=1)} == {"not measured"}


def test_without_transcripts_the_fp32_text_is_the_truth() -> None:
    said = {"spoken": ["red house"], "clips": ["green tree"]}
    reference = {"spoken": ["red horse"], "clips": ["green free"]}
    rows = accuracies(said, reference, {"spoken": ["red house"], "clips": None})
    assert [row.drop.value for row in rows] == [-0.5, 0.5, 0.0]


def test_q8_0_restores_weights_to_half_a_step() -> None:
    weights = np.random.default_rng(3).normal(size=(8, 64)).astype(np.float32)
    weights[0, :32] = 0.0
    block = np.frombuffer(q8_0(weights), np.dtype([("scale", "<f2"), ("weights", "i1", 32)]))
    restored = (block["scale"][:, None].astype(np.float32) * block["weights"]).reshape(weights.shape)
    step = np.abs(weights.reshape(-1, 32)).max(axis=1).repeat(32).reshape(weights.shape) / 127
    # Half a step from rounding, and 127 times the half-precision rounding of the scale.
    assert (np.abs(restored - weights) <= 0.57 * step + 1e-7).all()
    assert len(q8_0(weights)) == 34 * weights.size // 32
