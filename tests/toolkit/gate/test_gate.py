"""The gate's verdicts, and the ladder that an export climbs when it refuses a recipe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model
from helpers.toys.toys import labelled

import edgekit
from edgekit.bench import metrics
from edgekit.bench.metrics.table import Metric
from edgekit.bench.statistics.paired import Estimate
from edgekit.bundles.manifest import decode
from edgekit.cli.command import run
from edgekit.core import Evaluation, Prediction, Recipe, Sample
from edgekit.errors import BadInput, CannotRun, ExportFailed, GateFailed, ParityFailed, UnknownName
from edgekit.gate.verdicts import absolute, answers, decide, judge, reference_misses
from edgekit.pipeline import climbing
from edgekit.tasks.resolved import samples_of

EVALUATION = Evaluation("wer", worst=0.30, drop=0.02, minimum=20)


def spoken(count: int, wrong: int, words: int = 1) -> list[str]:
    """Outputs of which the first `wrong` have one wrong word each."""
    return ["oops" + " yes" * (words - 1)] * wrong + ["yes" * 1 + " yes" * (words - 1)] * (count - wrong)


@pytest.mark.parametrize(
    "count, candidate, reference, words, verdict",
    [
        (100, 0, 0, 1, "undecided"),  # equal answers, and a loss of 3.7 points would show itself in none of so few
        (400, 0, 0, 1, "pass"),
        (400, 40, 40, 1, "pass"),
        (400, 4, 20, 1, "pass"),  # better than fp32
        (400, 120, 120, 1, "pass"),  # exactly at the bar
        (100, 31, 31, 1, "fail"),  # a faithful copy of a useless model
        (100, 100, 100, 1, "fail"),
        (20, 0, 0, 30, "pass"),
        (20, 0, 0, 1, "undecided"),
        (19, 0, 0, 30, "undecided"),
        (1, 0, 0, 1, "undecided"),
        (5, 5, 5, 1, "fail"),  # few, but useless
        (100, 29, 0, 1, "fail"),  # a large loss
        (100, 4, 0, 1, "fail"),  # 4 %, and some loss for certain
        (30, 1, 0, 1, "undecided"),  # a loss that 30 samples cannot tell from none
        (1000, 15, 0, 1, "undecided"),  # 1.5 %: allowed, but the interval reaches beyond 2 %
        (3000, 30, 0, 1, "pass"),  # 1 % for certain
        (3000, 90, 0, 1, "fail"),  # 3 % for certain
    ],
)
def test_verdicts(count: int, candidate: int, reference: int, words: int, verdict: str) -> None:
    truths = spoken(count, 0, words)
    found = judge(
        EVALUATION, spoken(count, candidate, words), spoken(count, reference, words), labelled(truths), "data"
    )
    assert found.verdict == verdict, found.reason
    assert (found.samples, found.data, found.metric) == (count, "data", "wer")
    assert found.value == pytest.approx(candidate / count / words)
    assert found.reference == pytest.approx(reference / count / words)
    assert found.drop == pytest.approx((candidate - reference) / count / words)
    assert found.low is not None and found.high is not None and found.drop is not None
    assert found.low < found.drop < found.high
    useless = candidate / count > 0.3
    assert found.basis == (("bar",) if useless else ("bar", "loss", "interval"))


@pytest.mark.parametrize(
    "count, wrong, verdict",
    [(100, 0, "above the bar"), (100, 30, "above the bar"), (100, 31, "below the bar"), (19, 0, "undecided")],
)
def test_without_a_reference_there_is_the_bar_and_no_pass(count: int, wrong: int, verdict: str) -> None:
    found = absolute(EVALUATION, spoken(count, wrong), labelled(spoken(count, 0)), "data")
    assert (found.verdict, found.basis, found.samples, found.data) == (verdict, ("bar",), count, "data")
    assert found.value == pytest.approx(wrong / count)
    assert (found.reference, found.drop, found.low, found.high) == (None, None, None, None)
    assert ("too few" in found.reason) == (verdict == "undecided")


def test_without_truths_nothing_passes() -> None:
    # It agrees with fp32 word for word, and nobody knows whether either is right.
    found = judge(EVALUATION, ["yes"] * 50, ["yes"] * 50, labelled([None] * 50), "data")
    assert found.verdict == "undecided"
    assert "without right answers" in found.reason and "the reference's own answers" in found.reason
    assert found.value is None and found.reference is None and found.drop == 0
    assert found.basis == ("loss", "interval")
    assert judge(EVALUATION, ["no"] * 50, ["yes"] * 50, labelled([None] * 50), "").verdict == "fail"
    assert judge(EVALUATION, ["yes"] * 50, ["yes"] * 50, labelled(["yes"] * 49 + [None]), "").verdict == "undecided"


def test_no_samples_and_empty_truths_are_bad_input() -> None:
    for truths in ([], [""] * 30):
        with pytest.raises(BadInput):
            judge(EVALUATION, ["yes"] * len(truths), ["yes"] * len(truths), labelled(truths), "")
    with pytest.raises(UnknownName):
        judge(replace(EVALUATION, metric="wre"), ["a"], ["a"], labelled(["a"]), "")


def test_some_empty_truths_weigh_nothing() -> None:
    truths = spoken(39, 0, 10)
    assert judge(EVALUATION, [*truths, ""], [*truths, ""], labelled([*truths, ""]), "").verdict == "pass"


def test_a_metric_where_higher_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    def right(outputs: Any, truths: Any, *, language: str = "en") -> list[tuple[float, float]]:
        return [(float(a == b), 1.0) for a, b in zip(outputs, truths, strict=True)]

    monkeypatch.setitem(metrics.METRICS, "top1", Metric("top1", "1", "higher", right))
    evaluation = Evaluation("top1", worst=0.70, drop=0.02, minimum=20)
    truths = spoken(100, 0)
    assert judge(evaluation, spoken(400, 5), spoken(400, 5), labelled(spoken(400, 0)), "").verdict == "pass"
    assert judge(evaluation, spoken(100, 40), spoken(100, 40), labelled(truths), "").verdict == "fail"
    lost = judge(evaluation, spoken(100, 25), spoken(100, 0), labelled(truths), "")
    assert (lost.verdict, lost.drop) == ("fail", pytest.approx(0.25))
    assert lost.low is not None and lost.high is not None and lost.low < 0.25 < lost.high
    assert judge(evaluation, spoken(100, 0), spoken(100, 25), labelled(truths), "").verdict == "pass"


@pytest.mark.parametrize("absolute, drop", [(float("nan"), 0.0), (0.1, float("nan"))])
def test_a_value_that_is_not_a_number_never_passes(absolute: float, drop: float) -> None:
    verdict, _ = decide(EVALUATION, metrics.find("wer"), 100, absolute, Estimate(drop, drop, drop))
    assert verdict != "pass"


def test_a_sample_that_cannot_be_used_is_named(bundle: Path) -> None:
    samples = [Sample([1.0], "no", "good"), Sample([], "no", "clips/7.npy")]
    with pytest.raises(BadInput, match=r"sample clips/7\.npy: a signal is"):
        answers(edgekit.load(bundle), samples, lambda done, total: None)


SAID, TRUTH = "er geht schon die ecke", "Er geht schön um die Ecke."


@pytest.mark.parametrize(
    "language, heard, value", [("", "", 0.0), ("de", "", 2 / 6), ("", "de", 2 / 6), ("en", "de", 0.0)]
)
def test_the_language_of_a_sample_or_of_what_was_heard_reaches_the_metric(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, heard: str, value: float
) -> None:
    class German(toy_model.Speller):
        def predict(self, sample: Any, **options: Any) -> Prediction:
            super().predict(sample, **options)
            return Prediction(SAID, {"language": heard} if heard else {})

    samples = [replace(sample, truth=TRUTH, language=language) for sample in samples_of(toy_model.MODEL, toy.data)]
    evaluation = replace(EVALUATION, worst=0.9)
    use = replace(toy_model.MODEL.task, samples=lambda folder: samples, predictor=German, evaluation=evaluation)
    monkeypatch.setattr(toy_model, "MODEL", replace(toy_model.MODEL, task=use))
    made = toy.export(tmp_path / "b", data=toy.data)
    assert (made.manifest.gate.value, made.manifest.gate.reference) == pytest.approx((value, value))
    assert edgekit.verify(made.path, data=toy.data)["gate"].value == pytest.approx(value)


# ---------------------------------------------------------------------------------------------------------- the ladder


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **precisions: monkeypatch.setenv("TOY_SPOIL", json.dumps(precisions))


def test_a_network_that_its_runtime_cannot_run_gives_way_to_the_next(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved = climbing.prove

    def prove(run: Any, reference: Any, recipe: Recipe) -> Any:
        if recipe.precision == "int8":
            raise CannotRun("the runtime could not run the part: no kernel")
        return proved(run, reference, recipe)

    monkeypatch.setattr(climbing, "prove", prove)
    made = toy.export(tmp_path / "b", data=toy.close)
    assert made.manifest.recipe.precision == "fp32" and "no kernel" in made.manifest.attempts[0].outcome
    with pytest.raises(ExportFailed, match=r"a network that was made for toy cannot be run: .* no kernel"):
        toy.export(tmp_path / "c", data=toy.close, fallback=False)


def test_data_makes_a_verdict(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "b", data=toy.data)
    gate = made.manifest.gate
    assert (gate.verdict, gate.samples, gate.value, gate.reference) == ("pass", 44, 0, 0)
    assert [attempt.outcome for attempt in made.manifest.attempts] == ["taken: pass"]


@pytest.mark.parametrize("how, word", [("noise", "away from the fp32 reference"), ("skew", "wer")])
def test_a_refused_recipe_gives_way_to_the_next(toy: Any, tmp_path: Path, spoil: Any, how: str, word: str) -> None:
    spoil(int8=how)
    made = toy.export(tmp_path / "b", data=toy.close)
    assert made.manifest.recipe.precision == "fp32"
    refused, taken = made.manifest.attempts
    assert refused.recipe.precision == "int8" and refused.outcome.startswith("refused: ") and word in refused.outcome
    # What the data has refused another recipe on does not prove this one.
    verdict = "pass" if how == "noise" else "undecided"
    assert (taken.recipe.precision, taken.outcome) == ("fp32", f"taken: {verdict}")
    assert ("chosen among 2" in made.manifest.gate.reason) == (how == "skew")
    assert (made.path / "only-fp32").exists() and not (made.path / "only-int8").exists()
    edgekit.verify(made.path, data=toy.close)


def test_an_exporter_may_have_limits_of_its_own(
    toy: Any, tmp_path: Path, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"precision": "int8", "fallback": False}
    made = toy.export(tmp_path / "a", **options)
    with monkeypatch.context() as patch:
        patch.setattr(toy_model.ToyExporter, "limits", {"int8": 1e-4})
        with pytest.raises(ParityFailed, match=r"at most 0\.02% is explained"):
            edgekit.verify(made.path)
        with pytest.raises(ParityFailed, match=r"the precision explains 0\.01%"):
            toy.export(tmp_path / "b", **options)
    spoil(int8="noise")
    with pytest.raises(ParityFailed, match=r"the precision explains 25\.00%"):
        toy.export(tmp_path / "b", **options)
    with monkeypatch.context() as patch:  # but no limit that nothing can exceed
        patch.setattr(toy_model.ToyExporter, "limits", {"int8": 100.0})
        with pytest.raises(ParityFailed, match=r"the precision explains 90\.00%"):
            toy.export(tmp_path / "b", **options)


def test_the_ladder_is_climbed_to_its_end(toy: Any, tmp_path: Path, spoil: Any) -> None:
    spoil(int4="noise", int8="skew")
    made = toy.export(tmp_path / "b", data=toy.close, precision="int4")
    assert [attempt.recipe.precision for attempt in made.manifest.attempts] == ["int4", "int8", "fp32"]


@pytest.mark.parametrize("how, kind", [("noise", "ParityFailed"), ("skew", "GateFailed")])
def test_when_all_are_refused_the_earlier_bundle_stays(
    toy: Any,
    tmp_path: Path,
    spoil: Any,
    how: str,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = toy.export(tmp_path / "b", data=toy.close, precision="fp32")
    spoil(int4=how, int8=how)

    def ladder(self: Any, model: Any, recipe: Recipe) -> list[Recipe]:
        return [replace(recipe, precision=precision) for precision in ("int4", "int8")]

    monkeypatch.setattr(toy_model.ToyExporter, "ladder", ladder)
    assert run(toy.arguments(tmp_path / "b", f"--data={toy.close}", "--precision=int4", "--json")) == 5
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == kind
    assert "toy int4 was refused" in err and "trying toy int8" in err
    assert decode((tmp_path / "b" / "manifest.json").read_bytes()) == before.manifest
    edgekit.verify(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_no_fallback_tries_one(toy: Any, tmp_path: Path, spoil: Any, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(int8="noise")
    assert run(toy.arguments(tmp_path / "b", "--no-fallback")) == 5
    assert "trying" not in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_bundle_made_by_falling_back_does_not_serve_no_fallback(toy: Any, tmp_path: Path, spoil: Any) -> None:
    spoil(int8="noise")
    assert toy.export(tmp_path / "b").manifest.recipe.precision == "fp32"
    with pytest.raises(ParityFailed):
        toy.export(tmp_path / "b", fallback=False)


def test_a_recipe_that_does_not_fit_the_target_is_no_way_out(
    toy: Any, tmp_path: Path, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(int8="noise")
    monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, ram=400_000))
    with pytest.raises(ParityFailed):
        toy.export(tmp_path / "b")


def test_a_reference_that_misses_the_bar_is_told_before_any_recipe_is_tried(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, tried = toy_model.write_data(tmp_path / "data", truths="wrong"), []
    monkeypatch.setattr(toy_model.ToyExporter, "export", lambda *arguments: tried.append(arguments))
    for precision in ("int4", "fp32"):
        with pytest.raises(GateFailed, match=r"fp32 reference itself misses the bar on data: wer 100\.00% is worse "):
            toy.export(tmp_path / "b", data=data, precision=precision)
    assert not tried and not (tmp_path / "b").exists()


@pytest.mark.parametrize("truths, missed", [(["yes"] * 4, "accuracy 25.00%"), (["no"] * 4, ""), (["no", None] * 2, "")])
def test_a_reference_is_judged_by_the_bar_alone(truths: list[Any], missed: str) -> None:
    evaluation = Evaluation("accuracy", worst=0.5, drop=0.0, minimum=100)
    assert reference_misses(evaluation, ["no", "no", "no", "yes"], labelled(truths)).startswith(missed)
    assert bool(reference_misses(evaluation, ["no", "no", "no", "yes"], labelled(truths))) == bool(missed)


def test_useless_weights_are_refused_by_verify_too(toy: Any, tmp_path: Path) -> None:
    data = toy_model.write_data(tmp_path / "data", truths="wrong")
    bundle = toy.export(tmp_path / "b").path
    with pytest.raises(GateFailed, match="wer 100"):
        edgekit.verify(bundle, data=data)


@pytest.mark.parametrize("truths, count, verdict", [("absent", 24, "undecided"), ("right", 5, "undecided")])
def test_too_little_to_decide(toy: Any, tmp_path: Path, truths: str, count: int, verdict: str) -> None:
    data = toy_model.write_data(tmp_path / "data", truths=truths, count=count)
    made = toy.export(tmp_path / "b", data=data)
    assert made.manifest.gate.verdict == verdict
    again = edgekit.verify(made.path, data=data)["gate"]
    assert again.verdict == ("not measured" if truths == "absent" else verdict)


def test_empty_truths_and_absent_folders_are_bad_input(toy: Any, tmp_path: Path, bundle: Path) -> None:
    data = toy_model.write_data(tmp_path / "data", truths="empty")
    for use in (lambda: toy.export(tmp_path / "b", data=data), lambda: edgekit.verify(bundle, data=data)):
        with pytest.raises(BadInput, match="no weight"):
            use()
    for use in (lambda: toy.export(tmp_path / "b", data="nowhere"), lambda: edgekit.verify(bundle, data="nowhere")):
        with pytest.raises(BadInput, match="there is no folder 'nowhere'"):
            use()


def test_a_model_without_a_metric_says_so(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        toy_model, "MODEL", replace(toy_model.MODEL, task=replace(toy_model.MODEL.task, evaluation=None))
    )
    made = toy.export(tmp_path / "b", data=toy.data)
    assert (made.manifest.gate.verdict, made.manifest.gate.reason) == ("not measured", "toy-speller declares no metric")
    assert edgekit.verify(made.path, data=toy.data)["gate"].reason == "toy-speller declares no metric"


def test_calibration_joins_the_golden_input(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    export = toy_model.ToyExporter.export

    def spy(self: Any, model: Any, checkpoint: Any, recipe: Any, calibration: Any, *more: Any) -> Any:
        seen.update({part: len(feeds) for part, feeds in calibration.items()})
        return export(self, model, checkpoint, recipe, calibration, *more)

    monkeypatch.setattr(toy_model.ToyExporter, "export", spy)
    made = toy.export(tmp_path / "b", calibration=toy.close)
    assert seen == {"frontend": 9, "network": 9}
    edgekit.verify(made.path)


def test_a_part_that_the_golden_input_never_reaches_is_refused(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = replace(toy_model.MODEL.network.parts[1], name="idle")
    monkeypatch.setattr(
        toy_model,
        "MODEL",
        replace(
            toy_model.MODEL, network=replace(toy_model.MODEL.network, parts=(*toy_model.MODEL.network.parts, extra))
        ),
    )
    with pytest.raises(ExportFailed, match="never reaches the part 'idle'"):
        toy.export(tmp_path / "b")


def test_other_weights_bring_another_licence(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "b")
    assert made.manifest.licences["weights"] == "unknown"
    text = (made.path / "licences" / "weights.txt").read_text()
    assert "their licence: unknown" in text and "under this licence (MIT)" in text
    assert not made.manifest.source.pinned
    assert made.manifest.source.uri == "path:weights"


def test_the_onnx_exporter_serves_other_packages_models_too(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "b", runtime="onnxruntime", precision="int8", data=toy.data)
    assert made.manifest.recipe == decode((made.path / "manifest.json").read_bytes()).recipe
    assert (made.manifest.recipe.runtime, made.manifest.recipe.exporter) == ("onnxruntime", "onnx")
    assert made.manifest.gate.verdict == "pass"
    assert edgekit.verify(made.path, data=toy.data)["gate"].verdict == "above the bar"
