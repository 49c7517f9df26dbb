"""Matrices: every cell gets an outcome, an interruption costs nothing that was finished, bad cells cost no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.pages.matrices import QUICK, plan
from helpers.toys import toy_model

from edgekit.bench.processes.answers import Answer, Outcome, failure
from edgekit.benchmarking import matrix
from edgekit.benchmarking.benchmark import benchmark
from edgekit.benchmarking.plan import plan_cells
from edgekit.bundles.bundle import open_bundle
from edgekit.cli.command import run
from edgekit.core import Progress
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.registry import names
from edgekit.reports import cells
from edgekit.reports.cells import Cell, Matrix


def answer(latency: float = 0.01) -> Answer:
    """What a process on a quiet machine says."""
    values = {"end_to_end.latency": [latency] * 3, "rss.peak": [1e6]}
    return Answer(values, {"wall": 1.0, "cpu": 1.0}, 1, outputs=["no"])


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measured processes are made up; the list tells which were asked for, as "precision threads"."""
    seen: list[str] = []

    def fake(setup: Any) -> Answer:
        seen.append(f"{setup.bundle.name.rpartition('-')[2]} {setup.threads}")
        return answer()

    monkeypatch.setattr("edgekit.bench.processes.child.once", fake)
    return seen


@pytest.fixture
def exported(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every export gives the same bundle, at once."""
    monkeypatch.setattr("edgekit.benchmarking.exports._export", lambda cell, plan, out: open_bundle(bundle))


@pytest.mark.thorough
def test_every_combination_is_a_cell_and_processes_take_turns(toy: Any, tmp_path: Path, processes: list[str]) -> None:
    found = matrix.matrix(plan(toy), tmp_path / "work")
    told = [(cell.precision, cell.threads, cell.outcome) for cell in found.cells]
    assert told == [(p, n, "refused" if p == "int3" else "measured") for p in ("int8", "fp32", "int3") for n in (1, 2)]
    assert "no precision 'int3'" in found.cells[-1].reason
    assert processes == ["int8 1", "int8 2", "fp32 1", "fp32 2", "fp32 2", "fp32 1", "int8 2", "int8 1"]
    cells.save(found, tmp_path / "m.json")
    assert cells.load(tmp_path / "m.json") == found
    sessions = {cell.report.host["run"]["session"] for cell in found.cells if cell.report}
    assert len(sessions) == 1
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["bundles"]


def test_an_interrupted_matrix_goes_on_where_it_stopped(
    exported: None, toy: Any, tmp_path: Path, processes: list[str]
) -> None:
    wanted = plan(toy, precisions=("int8",), processes=3)

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("measuring") and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matrix.matrix(wanted, tmp_path / "work", progress=stop)
    assert len(processes) == 4
    (broken,) = list((tmp_path / "work" / "cells").glob("*/1.json"))[:1]
    broken.write_text('{"values": ')  # a half or edited file is measured again
    found = matrix.matrix(wanted, tmp_path / "work")
    assert len(processes) == 4 + 2 + 1
    assert {cell.outcome for cell in found.cells} == {"measured"}
    matrix.matrix(wanted, tmp_path / "work")
    assert len(processes) == 7 + 6, "once all is done, the next run measures anew"


def test_answers_to_another_question_are_not_taken(
    exported: None, toy: Any, tmp_path: Path, processes: list[str]
) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == 1 and what.startswith("measuring"):
            raise KeyboardInterrupt

    one = plan(toy, precisions=("int8",), threads=(1,))
    with pytest.raises(KeyboardInterrupt):
        matrix.matrix(one, tmp_path / "work", progress=stop)
    matrix.matrix(replace(one, limits=QUICK._replace(loops=5)), tmp_path / "work")
    assert len(processes) == 1 + 2


@pytest.mark.parametrize("outcome", ["crashed", "hung", "out of memory", "failed"])
def test_a_bad_cell_says_what_happened_and_the_others_finish(
    outcome: Outcome, exported: None, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = failure(outcome, f"it {outcome}.", "look")
    monkeypatch.setattr("edgekit.bench.processes.child.once", lambda setup: bad if setup.threads == 2 else answer())
    found = matrix.matrix(plan(toy, precisions=("int8",)), tmp_path / "work")
    assert [(cell.outcome, cell.reason) for cell in found.cells] == [("measured", ""), (outcome, f"it {outcome}.")]


@pytest.mark.thorough
def test_an_export_that_fails_is_a_cell(toy: Any, tmp_path: Path, processes: list[str]) -> None:
    (tmp_path / "none").mkdir()
    found = matrix.matrix(plan(toy, weights={"": str(tmp_path / "none")}, precisions=("int8",)), tmp_path / "work")
    assert {cell.outcome for cell in found.cells} == {"failed"} and not processes
    assert all(cell.reason for cell in found.cells)


@pytest.mark.parametrize(
    "change",
    [
        {"models": ()},
        {"targets": ()},
        {"processes": 0},
        {"inputs": ("absent.npy",)},
        {"synthetic": True, "inputs": (__file__,)},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, Any], toy: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        matrix.matrix(plan(toy, **change), tmp_path / "work")


def test_all_means_every_model_with_pinned_weights_and_every_target(toy: Any) -> None:
    asked = plan_cells(plan(toy, models=("all",), targets=("all",), precisions=(), weights={}))
    assert {cell.model for cell in asked} == set(names("models"))
    assert {cell.target for cell in asked} == set(names("targets"))
    here = [cell for cell in asked if cell.runtime != "coreml"]
    unreachable = {cell.model: cell for cell in here if cell.outcome == "not measured" and cell.reason}
    assert {"mobilenet-v2", "toy-speller"} <= set(unreachable) and "whisper-base" not in unreachable
    assert "hf://timm/mobilenetv2" in unreachable["mobilenet-v2"].reason
    assert unreachable["mobilenet-v2"].hint == "Give them: --weights mobilenet-v2=PATH"
    given = plan_cells(plan(toy, models=("all",), targets=("laptop",), precisions=(), weights={"mobilenet-v2": "x"}))
    assert not [cell for cell in given if cell.model == "mobilenet-v2" and cell.reason]
    less = plan_cells(plan(toy, models=("all", "-whisper-base"), targets=("all", "-laptop"), precisions=(), weights={}))
    assert {cell.model for cell in asked} - {cell.model for cell in less} == {"whisper-base"}
    assert {cell.target for cell in asked} - {cell.target for cell in less} == {"laptop"}
    named = plan_cells(plan(toy, models=("mobilenet-v2",), targets=("laptop",), precisions=(), weights={}))
    assert not named[0].reason, "who names a model means its hub, too"


def test_what_is_only_interpreted_here_is_not_measured(
    toy: Any, bundle: Path, tmp_path: Path, processes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_model.ToyRuntime, "untimed", "toys have no clock")
    found = matrix.matrix(plan(toy, precisions=("int8",), threads=(1,)), tmp_path / "work")
    assert [(cell.outcome, cell.reason) for cell in found.cells] == [("not measured", "toys have no clock.")]
    assert processes == [] and not list((tmp_path / "work").rglob("manifest.json"))
    with pytest.raises(Unsupported, match="cannot be measured here: toys have no clock"):
        benchmark(bundle)


def test_a_matrix_on_noise_says_so(exported: None, toy: Any, tmp_path: Path, processes: list[str]) -> None:
    found = matrix.matrix(plan(toy, precisions=("int8",), threads=(1,), synthetic=True), tmp_path / "work")
    (cell,) = found.cells
    assert cell.report is not None and cell.report.inputs[0]["synthetic"]
    assert cell.report.warnings[0].startswith("SYNTHETIC INPUTS")


def test_a_name_that_is_not_there_is_told_before_any_work(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        matrix.matrix(plan(toy, models=("toy-speller", "nonsense")), tmp_path / "work")


def test_progress_tells_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 120.0])
    monkeypatch.setattr(matrix.time, "monotonic", lambda: next(now))
    lines: list[str] = []
    tell: Progress = lambda what, done, total: lines.append(what)  # noqa: E731
    progress = matrix.with_time_left(tell, ["a cell"])
    progress(0, 0, 0, 6)
    progress(0, 1, 2, 6)
    assert lines[0] == "measuring a cell: process 1; 0 of 6 done"
    assert lines[1].endswith("2 of 6 done, about 4 min left")


CELL = Cell("m", "t", "e", "p", 1, "host", "crashed", "it died.")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), "no cells"),
        ((CELL, CELL), "twice"),
        ((replace(CELL, outcome="measured"),), "lacks a report"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(found: tuple[Cell, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        cells.save(Matrix(2, {}, found), tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    "edit", [{"schema": 4}, {"cells": 5}, {"cells": [{}]}, {"cells": [{"model": 1}]}, {"plan": None}, {"schema": True}]
)
def test_an_edited_matrix_is_refused(edit: dict[str, Any], tmp_path: Path) -> None:
    cells.save(Matrix(2, {}, (CELL,)), tmp_path / "m.json")
    raw = json.loads((tmp_path / "m.json").read_text()) | edit
    (tmp_path / "m.json").write_text(json.dumps(raw))
    with pytest.raises(BadInput):
        cells.load(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to measure"),
        (["x", "--precisions=int8"], "--precisions is for a matrix"),
        (["x", "--workers=dask://a:1"], "--workers is for a matrix"),
        (["x", "--threads=1,2"], "several --threads"),
        (["x", "--models=toy-speller", "--targets=toy-board"], "exports its own bundles"),
        (["--models=toy-speller"], "the matrix is empty: --targets is missing"),
        (["--targets=toy-board"], "the matrix is empty: --models is missing"),
        (["--models=nosuch"], "there is no model named 'nosuch'"),
        (["x", "--max-regression=0.1"], "--max-regression is for a comparison"),
        (["x", "--junit=j.xml"], "--junit is for a comparison"),
        (["--models=toy-speller", "--targets=toy-board", "--markdown=m.md"], "--markdown is for a comparison"),
        (["x", "--vs=y", "--device=qemu"], "--vs measures on this machine"),
        (["x", "--vs=y", "--max-regression=fast"], "--max-regression takes a fraction"),
    ],
)
def test_command_lines_that_make_no_sense(
    arguments: list[str], words: str, toy: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["bench", *arguments, f"--work={tmp_path}"]) == 2
    assert words in capsys.readouterr().err


def test_a_matrix_on_the_command_line(
    exported: None, toy: Any, tmp_path: Path, processes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.json"
    line = ["bench", "--models=toy-speller", "--targets=toy-board", "--precisions=int8,int3", "--threads=1,2"]
    assert run([*line, f"--work={tmp_path / 'w'}", f"--out={out}", "--processes=2"]) == 0
    shown = capsys.readouterr().out
    assert "10 ms" in shown and "refused: the toy exporter has no precision 'int3'" in shown
    assert max(map(len, shown.splitlines())) <= 160
    assert run(["report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["schema"] == 3
    assert run(["compare", str(out), str(out), "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert len(compared) == 4 and {row["verdict"] for entry in compared for row in entry["rows"]} == {
        "cannot tell",
        "equal",
    }
