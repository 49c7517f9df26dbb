"""Word error rate against counts made by hand, and the contract of a metric."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.bench.metrics import table
from edgekit.errors import BadInput, MissingExtra, UnknownName, install_command


def test_wer_counts_errors_and_words_per_sample() -> None:
    truths = ["the cat sat on the mat", "hello world", "one more"]
    outputs = ["the cat sat on mat", "hello big world", "won more"]
    assert table.wer(outputs, truths) == [(1.0, 6.0), (1.0, 2.0), (1.0, 2.0)]
    metric = table.find("wer")
    assert table.aggregate(metric, metric.score(outputs, truths)) == pytest.approx(3 / 10)


def test_wer_forgives_spelling_and_case_in_english() -> None:
    assert table.wer(["Mister Brown's color: 21!"], ["mr. brown's colour twenty-one"]) == [(0.0, 5.0)]


def test_a_library_with_an_invalid_escape_prints_no_warning(tmp_path: Path) -> None:
    """Python warns when it compiles a file, so nothing compiled is at hand here."""
    code = "from edgekit.bench.metrics.table import wer; print(wer(['a b'], ['a c']))"
    command = [sys.executable, "-P", "-X", f"pycache_prefix={tmp_path}", "-W", "default", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[(1.0, 2.0)]" and "invalid escape" not in done.stderr


def test_wer_elsewhere_uses_the_basic_normaliser() -> None:
    assert table.wer(["Größe, zwei!"], ["größe zwei"], language="de") == [(0.0, 2.0)]
    assert table.wer(["colour"], ["color"], language="de") == [(1.0, 1.0)]
    assert table.wer(["猫が"], ["猫は"], language="ja") == [(1.0, 2.0)]


@pytest.mark.parametrize(("output", "truth", "pair"), [("", "two words", (2.0, 2.0)), ("two words", "", (2.0, 0.0))])
def test_wer_of_empty_texts(output: str, truth: str, pair: tuple[float, float]) -> None:
    assert table.wer([output], [truth]) == [pair]


def test_wer_refuses_samples_without_truth() -> None:
    with pytest.raises(BadInput, match="truth of sample 1"):
        table.wer(["a", "b"], ["a", None])
    with pytest.raises(BadInput, match="same samples"):
        table.wer(["a"], [])
    with pytest.raises(BadInput, match="not defined"):
        table.aggregate(table.find("wer"), table.wer(["a"], [""]))


def test_unknown_metric_suggests_a_near_one() -> None:
    with pytest.raises(UnknownName, match="wer"):
        table.find("wre")


def test_a_metric_may_aggregate_in_its_own_way() -> None:
    def half(pairs: Any) -> float:
        return float(len(pairs)) / 2

    metric = table.Metric("half", "1", "lower", table.wer, half)
    assert table.aggregate(metric, [(0.0, 0.0)] * 3) == 1.5


def test_missing_jiwer_gives_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "jiwer":
            raise ImportError("no jiwer", name="jiwer")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=re.escape(install_command("run"))):
        table.wer(["a"], ["a"])


def test_the_room_and_its_readers_load_nothing_heavy() -> None:
    code = (
        "import sys, edgekit.bench.processes.run, edgekit.bench.metrics, edgekit.reports.report\n"
        "import edgekit.reports.comparing.reports, edgekit.reports.page.document\n"
        "print(sorted({'numpy', 'torch', 'onnxruntime', 'jiwer', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


RANKINGS = [("cat", "dog", "cow", "hen", "pig", "fox"), ("dog", "cat"), ("fox", "pig", "hen", "cow", "dog", "cat")]


def test_accuracy_takes_labels_and_rankings() -> None:
    truths = ["cat", "cat", "cat"]
    assert table.accuracy(["cat", "dog", "fox"], truths) == [(1.0, 1.0), (0.0, 1.0), (0.0, 1.0)]
    assert table.accuracy(RANKINGS, truths) == [(1.0, 1.0), (0.0, 1.0), (0.0, 1.0)]
    assert table.accuracy([["cat"]], truths[:1]) == [(1.0, 1.0)]


def test_top5_counts_a_truth_among_the_first_five() -> None:
    metric = table.find("top-5")
    assert metric.score(RANKINGS, ["cat"] * 3) == [(1.0, 1.0), (1.0, 1.0), (0.0, 1.0)]  # in the last one it is sixth
    assert metric.score(["cat"], ["cat"]) == [(1.0, 1.0)]


def test_a_reference_is_the_truth_by_its_first_label() -> None:
    """As the gate scores where nobody knows the right answers."""
    assert table.accuracy(RANKINGS, RANKINGS) == [(1.0, 1.0)] * 3
    assert table.top5(RANKINGS[:1], [("pig", "cat")]) == [(1.0, 1.0)]


def test_labels_that_are_not_there() -> None:
    with pytest.raises(BadInput, match="no truth"):
        table.accuracy(["cat"], [None])
    with pytest.raises(BadInput, match="ranking is empty"):
        table.top5([()], ["cat"])
    with pytest.raises(BadInput, match="same samples"):
        table.top5(["cat"], [])


def test_every_sample_is_scored_in_its_own_language() -> None:
    metric = table.find("wer")
    # The English normaliser takes "um" for a filler and "schön" for "schon"; in German both are words.
    said, truth = "er geht schon die ecke", "Er geht schön um die Ecke."
    assert table.score(metric, [said], [truth]) == [(0.0, 5.0)]
    assert table.score(metric, [said], [truth], ["de"]) == [(2.0, 6.0)]
    assert table.score(metric, ["Maß", said, "um it's"], ["Maß", truth, "it is"], ["de", "", "en"]) == [
        (0.0, 1.0),
        (0.0, 5.0),
        (0.0, 2.0),
    ]
    with pytest.raises(BadInput, match="do not match"):
        table.score(metric, [said], [truth], ["de", "de"])
