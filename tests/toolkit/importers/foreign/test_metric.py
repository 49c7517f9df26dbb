"""A user's metric: its declaration is read, its numbers are checked, and the gate judges by it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from edgekit.bench import metrics
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.gate import verdicts
from edgekit.importers.common.foreign.metric import declares, evaluation_of

GOOD = """
def near(answers, truths):
    return [float(abs(a - t).max() < 0.5) for a, t in zip(answers, truths)]
near.better, near.worst, near.drop = "higher", 0.8, 0.05
"""


def written(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return str(folder / "mine.py")


def test_the_gate_judges_by_it(tmp_path: Path) -> None:
    evaluation = evaluation_of(f"{written(tmp_path, GOOD)}:near")
    assert (evaluation.worst, evaluation.drop) == (0.8, 0.05)
    samples = [Sample(f"sample {i}", np.float32(i), str(i)) for i in range(40)]
    good = [{"output": np.array([i], np.float32)} for i in range(40)]
    bad = [{"output": np.array([i + (i % 3 == 0)], np.float32)} for i in range(40)]
    same = verdicts.judge(evaluation, good, good, samples, "data")
    assert (same.verdict, same.value, same.drop) == ("undecided", 1.0, 0.0)
    worse = verdicts.judge(evaluation, bad, good, samples, "data")
    assert (worse.verdict, worse.samples) == ("fail", 40)
    assert worse.value == pytest.approx(26 / 40)


def test_a_metric_that_counts_errors_loses_upwards(tmp_path: Path) -> None:
    text = 'import numpy as np\nbetter, worst, drop = "lower", 1.0, 0.2\n'
    text += "def error(answers, truths):\n"
    text += "    return np.array([abs(a['y'] - t['y']).mean() for a, t in zip(answers, truths)])\n"
    evaluation = evaluation_of(f"{written(tmp_path, text)}:error")
    truths = [Sample(None, {"y": np.zeros(2), "z": 1}, str(i)) for i in range(30)]
    answers = [{"y": np.full(2, 0.5), "z": 1} for _ in range(30)]
    verdict = verdicts.judge(evaluation, answers, [{"y": np.zeros(2), "z": 1}] * 30, truths, "data")
    assert (verdict.verdict, verdict.drop) == ("fail", 0.5)


def test_another_content_is_another_metric(tmp_path: Path) -> None:
    names = {evaluation_of(f"{written(tmp_path, GOOD + extra)}:near").metric for extra in ("", "# another\n")}
    assert len(names) == 2  # the name is in the key by which bundles are reused
    assert all(metrics.find(name).better == "higher" for name in names)


@pytest.mark.parametrize("place", ["beside.py", "own/__init__.py", "own/deep.py", "elsewhere/shared.py"])
def test_another_content_of_what_it_imports_is_another_metric(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("user/own", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    files = {
        "user/beside.py": "import shared\n",
        "user/own/__init__.py": "from .deep import x\n",
        "user/own/deep.py": "x = 1\n",
        "elsewhere/shared.py": "y = 1\n",
        "user/not_imported.py": "z = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    inside = GOOD.replace("    return", "    import beside\n    from own import x\n    return")
    address = f"{written(tmp_path / 'user', inside)}:near"
    name = evaluation_of(address).metric
    (tmp_path / "user" / "not_imported.py").write_text("z = 2\n", encoding="utf-8")
    assert evaluation_of(address).metric == name
    changed = tmp_path / place if place.startswith("elsewhere") else tmp_path / "user" / place
    changed.write_text(changed.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert evaluation_of(address).metric != name


@pytest.mark.parametrize("imported", ["jiwer", "PIL.Image", "numpy as np"])
def test_another_version_of_what_it_imports_is_another_metric(
    imported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{written(tmp_path, f'import {imported}{GOOD}')}:near"
    name = evaluation_of(address).metric
    installed = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda distribution: installed(distribution) + ".1")
    assert evaluation_of(address).metric != name


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    raise KeyError('truths')", r"line 3: f\(\) raised KeyError: 'truths'"),
        ("    return [float('nan')] * len(a)", r"gave 'nan' for sample 0, which is not a number"),
        ("    return [1.0, float('inf'), 1.0]", r"gave 'inf' for sample 1"),
        ("    return [1.0]", r"gave 1 numbers for 3 samples"),
        ("    return None", "gave NoneType, not a number for each sample"),
        ("    return 0.5", "gave float, not a number for each sample"),
        ("    return ['x', 'y', 'z']", "raised ValueError"),
    ],
)
def test_numbers_that_it_does_not_give_are_one_error(body: str, words: str, tmp_path: Path) -> None:
    address = written(tmp_path, f'better, drop = "higher", 0.1\ndef f(a, t):\n{body}\n')
    metric = metrics.find(evaluation_of(f"{address}:f").metric)
    with pytest.raises(BadInput, match=words):
        metric.score([1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(a, t): pass\n", "says better = None"),
        ('better = "up"\ndrop = 1\ndef f(a, t): pass\n', "says better = 'up'"),
        ('better = "higher"\ndef f(a, t): pass\n', "says drop = None"),
        ('better, drop = "higher", -1\ndef f(a, t): pass\n', "says drop = -1"),
        ('better, drop, worst = "higher", 1, "x"\ndef f(a, t): pass\n', "says worst = 'x'"),
        ('better, drop = "higher", 1 / 3\ndef f(a, t): pass\n', "line 1: drop is not written as a plain value"),
        ('better, drop = "higher", 1\n', r"has no function f\(\)"),
        ("def f(:\n", "is not Python"),
    ],
)
def test_a_declaration_that_is_absent_or_wrong_is_one_error(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        evaluation_of(f"{written(tmp_path, text)}:f")


@pytest.mark.parametrize("address", ["nowhere.py:f", "nowhere.py", "f", ""])
def test_an_address_of_nothing_is_one_error(address: str) -> None:
    with pytest.raises(BadInput, match="there is no metric"):
        evaluation_of(address)


def test_a_declaration_is_read_and_not_run(tmp_path: Path) -> None:
    text = GOOD + f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    assert declares(Path(written(tmp_path, text)), "near")
    evaluation_of(f"{tmp_path / 'mine.py'}:near")
    assert not (tmp_path / "ran").exists()
