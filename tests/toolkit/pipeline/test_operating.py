"""What a declaration may add to an export: a threshold, other forms for other exporters, weights on a hub, options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model
from helpers.toys.toys import labelled

import edgekit
from edgekit.bench.metrics import table
from edgekit.bench.metrics.table import Metric
from edgekit.bench.statistics.paired import Estimate
from edgekit.bundles.manifest import Score
from edgekit.cli.command import run
from edgekit.core import Evaluation, Model, Prediction, Runner
from edgekit.errors import BadInput, FetchFailed, Unsupported
from edgekit.gate import speed
from edgekit.gate.verdicts import judge
from edgekit.pipeline import resolving
from edgekit.registry import find, serving


def use(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Model:
    monkeypatch.setattr(toy_model, "MODEL", toy_model.changed(**changes))
    return toy_model.MODEL


class Loud(toy_model.Speller):
    """Answers in capitals once its bundle has an operating point, and can look at inputs side by side."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> None:
        super().__init__(parts, folder, facts)
        self._loud = "operating_point" in facts

    def predict(self, sample: Any, **options: Any) -> Prediction:
        found = super().predict(sample, loud=self._loud)
        return replace(found, score=found.output.lower())

    def together(self, samples: Sequence[Any], **options: Any) -> Prediction:
        return Prediction(" and ".join(self.predict(sample).output for sample in samples), {"options": options})


def operate(scores: Sequence[Any], truths: Sequence[Any], wish: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"threshold": sum(map(str.__eq__, scores, truths)) / len(truths), **wish}


# ---------------------------------------------------------------------------------------------- the operating point


def test_the_threshold_is_chosen_on_the_quantized_model_and_kept(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, operate=operate, predictor=Loud)
    made = toy.export(tmp_path / "b", data=toy.data, operating={"false_alarms_per_hour": 0.5})
    point = made.manifest.facts["operating_point"]
    assert point == {"threshold": 1.0, "false_alarms_per_hour": 0.5, "data": toy.data.name, "samples": 44}
    # The golden answer is the one that the bundle gives with its threshold; `score`, not `output`, went to the gate.
    assert made.manifest.golden.output.isupper() and made.manifest.gate.verdict == "pass"
    edgekit.verify(made.path, data=toy.data)
    arguments = (f"--data={toy.data}", "--false-alarms-per-hour=0.5")
    assert run(toy.arguments(tmp_path / "b", *arguments)) == 0
    out = capsys.readouterr().out
    assert "reused" in out and "operating point: threshold 1, false alarms per hour 0.5" in out
    assert not toy.export(tmp_path / "b", data=toy.data, operating={"false_alarms_per_hour": 2.0}).reused


def test_an_operating_point_is_rounded_for_people_only(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = {"threshold": 0.7611887454986572, "misses": 0.016666666666666666}
    use(monkeypatch, operate=lambda scores, truths, wish: raw, predictor=Loud)
    assert run(toy.arguments(tmp_path / "b", f"--data={toy.data}")) == 0
    assert "operating point: threshold 0.761, misses 0.0167, data" in capsys.readouterr().out
    point = edgekit.export("toy-speller", "toy-board", weights=str(toy.weights), data=toy.data, out=tmp_path / "b")
    assert point.reused and point.manifest.facts["operating_point"]["threshold"] == raw["threshold"]


def test_without_right_answers_there_is_no_operating_point(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, operate=operate, predictor=Loud)
    data = toy_model.write_data(tmp_path / "data", truths="absent")
    for name, folder in (("a", None), ("b", data)):
        assert "operating_point" not in toy.export(tmp_path / name, data=folder).manifest.facts


@pytest.mark.parametrize("evaluation", [None, toy_model.MODEL.task.evaluation])
def test_the_reference_hears_the_data_only_where_a_metric_asks_it(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluation: Evaluation | None
) -> None:
    use(monkeypatch, operate=operate, predictor=Loud, evaluation=evaluation)
    seen: list[str] = []
    made = toy.export(tmp_path / "b", data=toy.data, progress=lambda what, done, total: seen.append(what))
    assert made.manifest.facts["operating_point"]["samples"] == 44
    assert ("measuring the reference" in seen) == (evaluation is not None)


def test_a_threshold_needs_a_model_that_has_one_and_data(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unsupported, match="has no threshold"):
        toy.export(tmp_path / "b", data=toy.data, operating={"false_alarms_per_hour": 1.0})
    use(monkeypatch, operate=operate, predictor=Loud)
    with pytest.raises(BadInput, match="there are none") as caught:
        toy.export(tmp_path / "b", operating={"false_alarms_per_hour": 1.0})
    assert "--data" in caught.value.hint


def test_inputs_that_are_compared_have_one_answer(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, predictor=Loud)
    toy.export(tmp_path / "b")
    capsys.readouterr()
    assert run(["run", str(tmp_path / "b"), signal, signal]) == 0
    one, _, other = capsys.readouterr().out.strip().partition(" and ")
    assert one == other in toy_model.LABELS
    assert run(["run", str(tmp_path / "b"), signal, signal, "--json", "-o", "a=1"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["inputs"] == [signal, signal] and answer["details"]["options"] == {"a": 1}
    assert run(["run", str(tmp_path / "b"), signal, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


# ---------------------------------------------------------------------------------------------- variants, hub, options


def test_an_exporter_may_have_a_declaration_of_its_own(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = toy_model.MODEL
    other = replace(
        plain, task=replace(plain.task, evaluation=None), costs=replace(plain.costs, size=lambda recipe: 77)
    )
    model = use(monkeypatch, variants={"graphs": other}, ready="toy file")
    monkeypatch.setattr(find("exporters", "onnx"), "demands", ("graphs",), raising=False)
    monkeypatch.setattr(find("exporters", "toy"), "takes", ("toy file",), raising=False)
    assert serving(model, "onnx") is other and serving(model, "toy") is model
    assert edgekit.fit("toy-speller", "laptop").size == 77
    made = toy.export(tmp_path / "b", runtime="onnxruntime", data=toy.data)
    assert made.manifest.gate.reason == "toy-speller declares no metric"
    assert edgekit.verify(made.path, data=toy.data)["gate"].verdict == "not measured"
    assert toy.export(tmp_path / "c", data=toy.data).manifest.gate.verdict == "pass"
    with pytest.raises(Unsupported, match="cannot take") as caught:
        toy.export(tmp_path / "d", runtime="litert")
    assert "toy, onnx" in caught.value.hint


def test_weights_that_are_not_pinned_come_from_the_hub(
    toy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []
    monkeypatch.setattr(resolving, "user_source", lambda uri, offline: asked.append(uri) or Path(toy.weights))
    use(monkeypatch, hub="hf://toys/speller")
    for weights in (None, "hf://mine/own"):
        assert edgekit.export("toy-speller", "toy-board", weights=weights, out=tmp_path / f"{weights is None}").path
    assert asked == ["hf://toys/speller", "hf://mine/own"]
    use(monkeypatch, hub="")
    with pytest.raises(FetchFailed, match="no source of weights") as caught:
        edgekit.export("toy-speller", "toy-board", out=tmp_path / "c")
    assert "--weights" in caught.value.hint


def test_options_of_the_recipe_come_from_the_user(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "b", options={"weights": "per-tensor"})
    assert made.manifest.recipe.options == {"weights": "per-tensor"}
    assert run(toy.arguments(tmp_path / "b", "-o", "weights=per-tensor")) == 0
    assert toy.export(tmp_path / "b", options={"weights": "per-tensor"}).reused
    assert not toy.export(tmp_path / "b").reused


# ---------------------------------------------------------------------------------------------------------- the gate


def right(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[tuple[float, float]]:
    return [(float(a == b), 1.0) for a, b in zip(outputs, truths, strict=True)]


def test_a_metric_may_know_its_own_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def difference(candidate: Any, reference: Any, names: Any) -> Estimate:
        seen.append((len(candidate), len(reference), list(names)))
        return Estimate(-0.1, -0.2, 0.05)

    monkeypatch.setitem(table.METRICS, "own", Metric("own", "1", "higher", right, difference=difference))
    found = judge(Evaluation("own", 0.5, 0.3, 2), ["a", "b"], ["a", "b"], labelled(["a", "b"], ["x", "y"]), "data")
    assert seen == [(2, 2, ["x", "y"])]
    # Higher is better: what the candidate has less is the loss.
    assert (found.drop, found.low, found.high, found.verdict) == (0.1, -0.05, 0.2, "pass")


def test_other_metrics_are_told_and_decide_nothing() -> None:
    evaluation = Evaluation("accuracy", worst=0.0, drop=1.0, minimum=1, also=("top-5",))
    outputs, reference = [("b", "a")] * 4, [("a", "b")] * 4
    found = judge(evaluation, outputs, reference, labelled(["a"] * 4), "")
    assert (found.value, found.others) == (0.0, {"top-5": Score(value=1.0, reference=1.0)})
    assert judge(evaluation, outputs, reference, labelled([None] * 4), "").others == {}


def test_some_metrics_mean_nothing_without_right_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.METRICS, "own", Metric("own", "1", "higher", right, labelled=True))
    with pytest.raises(BadInput, match="folder has samples without a right answer; own needs an answer"):
        judge(Evaluation("own", 0.5, 0.3, 2), ["a"], ["a"], labelled([None]), "folder")


@pytest.mark.parametrize(
    ("absent", "doubt", "verdict"),
    [("no phrase", "", "not measured"), ("", "too short", "undecided"), ("", "", "pass")],
)
def test_a_metric_may_doubt_its_data(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str, doubt: str, verdict: str
) -> None:
    own = Metric("own", "1", "higher", right, absent=lambda truths: absent, doubt=lambda pairs: doubt)
    monkeypatch.setitem(table.METRICS, "own", own)
    use(monkeypatch, evaluation=Evaluation("own", 0.5, 0.3, 2))
    made = toy.export(tmp_path / "b", data=toy.data)
    again = edgekit.verify(made.path, data=toy.data)["gate"]
    for found, expected in ((made.manifest.gate, verdict), (again, verdict.replace("pass", "above the bar"))):
        assert found.verdict == expected and (absent or doubt) in found.reason


def test_values_are_shown_in_the_unit_of_their_metric() -> None:
    nats = Metric("kld", "nats", "lower", right)
    assert table.format_value(nats, 0.04567, "+") == "+0.04567 nats"
    assert table.format_value(table.find("wer"), 0.12345) == "12.35%"
    assert table.format_value(table.find("wer"), -1e-9, "+") == "+0.00%"
    assert table.format_value(nats, None) == "not measured"


# ----------------------------------------------------------------------------------------------------- against fp32


def test_an_export_says_what_was_not_compared(toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(toy.arguments(tmp_path / "b")) == 0  # there is no fp32 form
    why = "not measured: there is no fp32 form of it to compare with"
    assert f"network: int8 beside fp32 on this machine: {why}" in capsys.readouterr().out
    assert f"Whether network in int8 is faster than in fp32: {why}." in (tmp_path / "b" / "README.md").read_text()
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_bytes())
    assert {part["census"]["speed"]["not measured"] for part in manifest["parts"]} == {why.partition(": ")[2]}


def test_an_export_tells_of_it(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"fp32": 0.01, "this": 0.03, "ratio": 3.0, "low": 2.5, "high": 3.5, "rounds": 9, "threads": 1}
    monkeypatch.setattr(speed, "against_fp32", lambda *a: facts)
    assert run(toy.arguments(tmp_path / "b")) == 0
    assert "network: int8 IS SLOWER than fp32 on this machine: 30 ms a call, 3.00 times" in " ".join(
        capsys.readouterr().out.split()
    )
    assert "SLOWER than in fp32: 3.00 times" in (tmp_path / "b" / "README.md").read_text()
    made = toy.export(tmp_path / "c", precision="fp32")
    assert all("speed" not in part.census for part in made.manifest.parts)
