"""Judged by default: samples of the task calibrate and judge a bundle, and the bundle says what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import toy_model
from helpers.toys.toys import source

import edgekit
from edgekit.bench.statistics.proportion import lower_bound
from edgekit.cli.command import run
from edgekit.core import Agreement, Evidence, Prediction, Sample
from edgekit.errors import GateFailed
from edgekit.pipeline import proving
from edgekit.tasks import audio_classification

COUNT = 44


def signals(folder: Path, count: int = COUNT) -> Sequence[Sample]:
    rng = np.random.default_rng(7)
    waves = [np.sin(np.arange(50) * rng.uniform(0.1, 6.4)).astype(np.float32) for _ in range(count)]
    return [Sample(wave, None, f"wave {i}") for i, wave in enumerate(waves)]


EVIDENCE = Evidence("waves", "MIT", "drawn for tests", signals)
SAME_LABEL = Agreement(
    "the same label",
    lambda prediction: prediction.output,
    lambda answers, reference: [a == b for a, b in zip(answers, reference, strict=True)],
    0.9,
    lambda answers, reference: {"answers": float(len(answers))},
)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(evidence: Evidence | None = EVIDENCE, agreement: Agreement = SAME_LABEL) -> None:
        monkeypatch.setattr(toy_model, "MODEL", toy_model.changed(evidence=evidence))
        task = replace(audio_classification.TASK, agreement=agreement, evidence=None)
        monkeypatch.setattr(audio_classification, "TASK", task)

    return use


def test_a_bundle_is_judged_without_any_option(toy: Any, tmp_path: Path, use: Any) -> None:
    use()
    bundle = toy.export(tmp_path / "b")
    kept = bundle.manifest.evidence
    assert (kept.name, kept.licence, kept.calibrated) == ("waves", "MIT", COUNT // 2)
    assert set(kept.samples) == {f"wave {i}" for i in range(COUNT // 2, COUNT)}
    found = kept.agreement
    assert (found.verdict, found.same, found.of, found.figures) == ("pass", 22, 22, {"answers": 22.0})
    assert found.low == pytest.approx(0.025 ** (1 / 22))
    assert f"a loss of accuracy is at most {1 - found.low:.1%}" in found.reason
    assert set(json.loads((bundle.path / kept.answers).read_text())) <= set(toy_model.LABELS)
    assert bundle.manifest.gate.verdict == "not measured"
    assert edgekit.verify(bundle.path)["agreement"] == found
    assert toy.export(tmp_path / "b").reused


def test_samples_calibrate_only_where_something_is_quantized(toy: Any, tmp_path: Path, use: Any) -> None:
    use()
    kept = toy.export(tmp_path / "b", precision="fp32").manifest.evidence
    assert (kept.calibrated, kept.agreement.of) == (0, COUNT // 2)


def test_near_answers_bound_no_loss(toy: Any, tmp_path: Path, use: Any) -> None:
    use(agreement=replace(SAME_LABEL, bounds=False))
    found = toy.export(tmp_path / "b").manifest.evidence.agreement
    assert found.verdict == "pass" and "loss of accuracy" not in found.reason


def test_answers_that_differ_are_refused_and_the_ladder_goes_on(
    toy: Any, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(agreement=replace(SAME_LABEL, bar=1.0, same=lambda answers, reference: [False] * len(answers)))
    with pytest.raises(GateFailed, match="does not agree with the fp32 reference: the same label for 0 of 11"):
        toy.export(tmp_path / "b")
    assert not (tmp_path / "b").exists()
    monkeypatch.setenv("TOY_SPOIL", json.dumps({"int8": "skew"}))

    def biased(prediction: Prediction) -> Any:
        return prediction.details["scores"].round(6).tolist()

    def near(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
        return [np.allclose(a, b, atol=0.05 * np.linalg.norm(b)) for a, b in zip(answers, reference, strict=True)]

    use(agreement=replace(SAME_LABEL, what="near scores", answer=biased, same=near))
    bundle = toy.export(tmp_path / "b")
    assert bundle.manifest.recipe.precision == "fp32"
    assert "does not agree" in bundle.manifest.attempts[0].outcome


def test_no_evidence_is_recorded(toy: Any, tmp_path: Path, use: Any, capsys: pytest.CaptureFixture[str]) -> None:
    use(agreement=replace(SAME_LABEL, same=lambda answers, reference: [False] * len(answers)))
    assert run(toy.arguments(tmp_path / "b", "--no-evidence")) == 0
    assert "agreement with fp32: not measured (--no-evidence)" in capsys.readouterr().out
    assert edgekit.verify(tmp_path / "b")["agreement"].verdict == "not measured"


def test_samples_that_cannot_be_fetched_or_do_not_fit_are_told(toy: Any, tmp_path: Path, use: Any) -> None:
    use(replace(EVIDENCE, sources=(source(),), samples=lambda folder: [Sample("no.wav", None, "a"), *signals(folder)]))
    kept = toy.export(tmp_path / "a").manifest.evidence
    assert "do not fit this model" in kept.agreement.reason and kept.agreement.verdict == "not measured"


def test_noise_and_few_samples_prove_nothing(toy: Any, tmp_path: Path, use: Any) -> None:
    use(replace(EVIDENCE, synthetic=True))
    found = toy.export(tmp_path / "a").manifest.evidence.agreement
    assert found.verdict == "not measured" and "no real samples" in found.reason and "--evidence DIR" in found.reason
    assert "no real samples" in edgekit.verify(tmp_path / "a")["agreement"].reason
    use(replace(EVIDENCE, samples=lambda folder: signals(folder, 6)))
    assert toy.export(tmp_path / "b").manifest.evidence.agreement.verdict == "undecided"


def test_a_reference_that_says_nothing_proves_nothing(toy: Any, tmp_path: Path, use: Any) -> None:
    use(agreement=replace(SAME_LABEL, what="nothing", answer=lambda prediction: ""))
    found = toy.export(tmp_path / "b").manifest.evidence.agreement
    assert (found.verdict, found.same, found.of, found.empty) == ("undecided", 0, 0, 22)
    assert "the reference itself answers nothing on all of 22 samples" in found.reason


def test_verify_refuses_a_bundle_whose_answers_differ(
    toy: Any, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use()
    bundle = toy.export(tmp_path / "b")
    use(agreement=replace(SAME_LABEL, answer=lambda prediction: prediction.output + "!"))
    with pytest.raises(GateFailed, match="does not agree"):
        edgekit.verify(bundle.path)
    use(replace(EVIDENCE, samples=lambda folder: signals(folder, 30)))
    assert "have changed" in edgekit.verify(bundle.path)["agreement"].reason


@pytest.mark.parametrize("same, of", [(0, 10), (5, 10), (31, 32), (32, 32), (6900, 7000)])
def test_the_lower_bound_is_exact(same: int, of: int) -> None:
    import math

    low = lower_bound(same, of)
    if not same:
        assert low == 0
        return
    logs = [math.log(math.comb(of, k)) + k * math.log(low) + (of - k) * math.log1p(-low) for k in range(same, of + 1)]
    assert math.fsum(map(math.exp, logs)) == pytest.approx(0.025, rel=1e-3)


def test_parity_is_measured_on_samples_that_calibrated_nothing(
    toy: Any, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use()
    judged = [sample.input for sample in signals(Path())[COUNT // 2 :]]
    compared: list[Any] = []
    original = proving.part_error

    def watched(runner: Any, calls: Any) -> float:
        compared.extend(feeds["signal"][0] for feeds, _ in calls if "signal" in feeds)
        return original(runner, calls)

    monkeypatch.setattr(proving, "part_error", watched)
    toy.export(tmp_path / "b")
    assert compared
    assert all(any(np.array_equal(call, sample) for sample in judged) for call in compared)


@pytest.mark.parametrize(("count", "verdict", "of"), [(44, "undecided", 11), (80, "pass", 20), (30, "undecided", 15)])
def test_what_was_chosen_on_samples_is_not_proven_on_them(
    toy: Any, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch, count: int, verdict: str, of: int
) -> None:
    """int8 is refused by its answers. The next recipe is judged by sources that refused nothing, if enough are left."""
    monkeypatch.setenv("TOY_SPOIL", json.dumps({"int8": "skew"}))

    def near(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
        return [np.allclose(a, b, atol=0.05 * np.linalg.norm(b)) for a, b in zip(answers, reference, strict=True)]

    use(
        replace(EVIDENCE, samples=lambda folder: signals(folder, count)),
        replace(
            SAME_LABEL,
            answer=lambda prediction: prediction.details["scores"].round(6).tolist(),
            same=near,
            figures=None,
        ),
    )
    bundle = toy.export(tmp_path / "b")
    made = bundle.manifest
    found = made.evidence.agreement
    assert (made.recipe.precision, found.verdict, found.of, found.tried) == ("fp32", verdict, of, 2)
    assert edgekit.verify(bundle.path)["agreement"] == found  # no pass by what has chosen
    assert "chosen among 2 recipes" in found.reason
    assert "does not agree" in made.attempts[0].outcome


def test_the_references_answers_are_given_once(toy: Any, tmp_path: Path, use: Any) -> None:
    use()
    seen: list[str] = []
    first = toy.export(tmp_path / "a").manifest.evidence
    again = toy.export(tmp_path / "b", precision="fp32", progress=lambda what, done, total: seen.append(what))
    assert any("those of an earlier export" in what for what in seen)
    assert again.manifest.evidence.agreement == first.agreement
    assert (tmp_path / "a" / first.answers).read_bytes() == (tmp_path / "b" / first.answers).read_bytes()
    seen.clear()
    use(replace(EVIDENCE, samples=lambda folder: signals(folder, 50)))
    toy.export(tmp_path / "c", progress=lambda what, done, total: seen.append(what))
    assert not any("answers of the reference: those" in what for what in seen)
