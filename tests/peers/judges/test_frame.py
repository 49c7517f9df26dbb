"""The frame of the judges, with judges that fail in every way: each is a reason in the table, and no number."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import asked
import frame
import page

_SAID = '[toy]\ntitle = "Toy"\nwhat = "a toy"\nscript = "toy.py"\nforms = ["laptop-int8"]\nfiles = []\ntimeout = 4\n'
#: Answers every question but the second, at which it does something else first.
_BODY = """
import json, os, subprocess, sys, time
for name in sys.argv[2:]:
    question = "/".join(name.split("/")[-3:])
    if question.endswith("/b"):
        {}
    print(json.dumps({{"question": question, "version": "1", "distance": 0.5, "against": "here"}}), flush=True)
"""
_B = '{"question": "toy/laptop-int8/b", "version": "1", "against": "here"'
_NO_NUMBERS = (
    "",
    *(f', "distance": {value}' for value in ("NaN", "Infinity", "-1", "true", '"1"')),
    *(f', "dB": {value}' for value in ("Infinity", "NaN", "-1e9", "-6001", "null")),
    ', "against": "nobody", "distance": 0.1',
)


def reasons(tmp_path: Path, body: str, said: str = _SAID) -> list[str]:
    """What the table says of three questions: "" where there is a number."""
    (tmp_path / "toy.py").write_text(body)
    (tmp_path / "judges.toml").write_text(said)
    folders = [tmp_path / "toy" / "laptop-int8" / part for part in "abc"]
    found = dict(frame.answers(*frame.judges(tmp_path), folders))
    assert list(found) == [frame.name_of(folder) for folder in folders]
    return [answer.get("reason", "") for answer in found.values()]


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("time.sleep(60)", "hung: killed after 4 s"),
        ("print('{', end='', flush=True); time.sleep(60)", "hung: killed after 4 s"),
        ("os.abort()", "crashed: SIGABRT, nothing said"),
        ("sys.exit('out of luck')", "crashed: 1, out of luck"),
        ("sys.exit(0)", "crashed: 0, nothing said"),
        ("print('fine')", "printed no answer: 'fine'"),
        ("print('[1, 2]')", "printed no answer"),
        ("question = 'another'", "printed no answer"),
        *((f"print('{_B}{rest}}}')", "printed no answer") for rest in _NO_NUMBERS),
    ],
)
def test_one_failure_is_one_reason(tmp_path: Path, deed: str, why: str) -> None:
    first, second, third = reasons(tmp_path, _BODY.format(deed))
    assert (first, third) == ("", "")
    assert second.startswith(why)


def test_noise_is_an_answer_however_far_away(tmp_path: Path) -> None:
    assert reasons(tmp_path, _BODY.format(f"print('{_B}, \"distance\": 1e30}}', flush=True); continue")) == [""] * 3


def test_a_child_of_a_judge_dies_with_it(tmp_path: Path) -> None:
    child = f"import time, pathlib; time.sleep(7); pathlib.Path({str(tmp_path / 'mark')!r}).touch()"
    _, why, _ = reasons(tmp_path, _BODY.format(f"subprocess.run([sys.executable, '-c', {child!r}])"))
    time.sleep(5)
    assert why.startswith("hung") and not (tmp_path / "mark").exists()


def test_absent_and_broken_judges_and_other_versions(tmp_path: Path) -> None:
    assert set(reasons(tmp_path, "import nowhere")) == {"crashed: 1, ModuleNotFoundError: No module named 'nowhere'"}
    (tmp_path / "toy-requirements.txt").write_text("toy-runtime==2\n")
    other = {"toy-runtime 1 answers, and 2 is asked for"}
    said = _SAID + 'package = "toy-runtime"\n'
    assert set(reasons(tmp_path, _BODY.format("pass"), said)) == other
    none = {"toy-runtime None answers, and 2 is asked for"}
    assert set(reasons(tmp_path, _BODY.format("pass").replace('"version": "1", ', ""), said)) == none
    assert set(reasons(tmp_path, _BODY.format("pass").replace('"1"', '"2"'), said)) == {""}


def test_failures_are_in_the_page_and_no_number(tmp_path: Path) -> None:
    (tmp_path / "judges.toml").write_text(_SAID)
    made = {"toy": {"laptop": {"form": "laptop-int8", "folders": [f"toy/laptop-int8/{part}" for part in "ab"]}}}
    cells = {"toy/laptop-int8/a": {"distance": 0.01, "against": "here", "precision": "int8"}}
    cells["toy/laptop-int8/b"] = {"reason": "hung: killed after 4 s"}
    judges = frame.judges(tmp_path)
    text = page.write({"made": made, "answers": {"toy": cells}}, judges, ["toy", "gone"])
    assert "| toy | 40 dB; 1 of 2 parts: [1] |" in text
    assert "| gone | [2] |" in text and "1. hung: killed after 4 s\n2. not exported" in text
    cells["toy/laptop-int8/b"]["reason"] = "no: /home/me/.venv/lib/net.py:7 says 3/4 of https://a/b"
    text = page.write({"made": made, "answers": {"toy": cells}}, judges, ["toy"])
    assert "1. no: net.py:7 says 3/4 of https://a/b" in text
    cells["toy/laptop-int8/a"]["distance"] = 0.5
    assert "**6 dB**" in page.write({"made": made, "answers": {"toy": cells}}, judges, ["toy"])


def test_every_judge_declares_what_the_frame_reads() -> None:
    found = frame.judges()
    assert len({judge.title for judge in found}) == len(found) >= 8
    for judge in found:
        assert judge.forms and judge.timeout > 0 and (frame.HERE / judge.script).is_file(), judge.name


def test_what_is_absent_broken_or_of_another_shape_is_infinitely_far() -> None:
    truth = [{"a": np.ones((3, 4)), "b": np.ones(7)} for _ in range(2)]
    assert asked.distance(truth, truth) == 0 and asked.decibels(0.0) is None
    assert asked.decibels(0.01) == pytest.approx(40)
    for broken in ({"a": truth[0]["a"]}, {**truth[0], "a": np.full((3, 4), np.nan)}, {**truth[0], "a": np.zeros(2)}):
        assert asked.distance([broken, truth[1]], truth) == math.inf
    assert asked.distance([], []) == asked.distance(truth[:1], truth) == math.inf


def test_a_question_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "model" / "laptop-int8" / "network"
    folder.mkdir(parents=True)
    (tmp_path / "network.onnx").write_bytes(b"graph")
    sides = {side: [{"x/y": np.full(2, call)} for call in range(11)] for side in ("in", "out")}
    asked.write(folder, {"file": str(tmp_path / "network.onnx"), "exporter": "onnx"}, sides)
    question = asked.read(folder)
    assert question.name == "model/laptop-int8/network" and not question.fp32
    assert question.facts["part"] == "network" and len(question.facts["sha256"]) == 64
    assert [int(call["x/y"][0]) for call in question.inputs] == list(range(11)) and len(question.here) == 11


def test_no_script_hides_a_package_that_a_judge_imports() -> None:
    """A script's folder comes first on its path: a `coreai.py` there would be taken for the package coreai."""
    packages = {judge.package.partition("-")[0] for judge in frame.judges() if judge.package} | {"ethosu", "torch"}
    assert not {Path(judge.script).stem for judge in frame.judges()} & packages
