"""A tiny language model from a GGUF to a bundle: gate, frontier, streaming, verify, bench. llama.cpp computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import BROKEN, llama_file, llama_metadata, llama_tensors, write
from helpers.toys import toy_model
from helpers.toys.tiny_language import ENTRY_POINTS

import edgekit
from edgekit.bundles.manifest import Verdict
from edgekit.cli import command
from edgekit.core import Bundle
from edgekit.errors import BadInput, GateFailed, ParityFailed
from edgekit.exporters.gguf import LADDER
from edgekit.exporters.gguf import quantize as gguf_quantize
from edgekit.gate import frontier, frontier_plot
from edgekit.llama import library
from edgekit.pipeline import terms
from edgekit.registry import find
from edgekit.tasks.text_generation.questions import answer, questions

pytestmark = pytest.mark.thorough

TEXT = "the quick brown fox jumps over the lazy dog. " * 60  # a byte a token: five chunks of 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    place = tmp_path_factory.mktemp("tiny-language")
    llama_file(place / "tiny.gguf")
    (place / "text").mkdir()
    (place / "text" / "a.txt").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toy_model.install(place / "site", ENTRY_POINTS)))
        yield place


def export(folder: Path, name: str, precision: str, **options: object) -> Bundle:
    weights = str(folder / "tiny.gguf")
    return edgekit.export("tiny-writer", precision=precision, weights=weights, out=folder / name, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return export(folder, "q8", "q8_0", data=folder / "text", max_kld=10.0)


def test_the_gate_tells_perplexity_and_distance(bundle: Bundle) -> None:
    verdict: Verdict = bundle.manifest.gate
    assert (verdict.verdict, "1 independent text is" in verdict.reason) == ("undecided", True)
    assert verdict.metric == "perplexity"
    assert verdict.samples == 5
    assert verdict.value is not None
    assert verdict.reference is not None
    assert verdict.drop is not None
    assert 0 < verdict.drop < 0.5
    assert set(verdict.others) == {
        *("perplexity error", "KL divergence, 99th percentile", "same likeliest token", "documents")
    }
    assert bundle.manifest.facts["architecture"] == "llama"


def test_a_bundle_verifies_and_reads_a_text_by_itself(bundle: Bundle, folder: Path) -> None:
    proof = edgekit.verify(bundle.path, data=folder / "text" / "a.txt")
    assert (proof["gate"].verdict, proof["gate"].basis) == ("undecided", ("bar",))
    assert proof["gate"].value == pytest.approx(bundle.manifest.gate.value, rel=1e-6)
    assert 0 < proof["parity"]["network"] < 0.1


def test_the_command_line_tells_what_the_gate_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [str(folder / "told"), "--weights", str(folder / "tiny.gguf"), "--precision", "q8_0", "--max-kld", "10"]
    assert command.run(["export", "tiny-writer", "--data", str(folder / "text"), "--out", *made]) == 0
    assert "KL divergence" in capsys.readouterr().out
    assert command.run(["verify", made[0], "--data", str(folder / "text" / "a.txt")]) == 0
    assert "accuracy: undecided (perplexity" in capsys.readouterr().out


def test_what_loses_too_much_is_refused(folder: Path) -> None:
    with pytest.raises((GateFailed, ParityFailed)):
        export(folder, "bad", "q4_0", data=folder / "text", max_kld=1e-9, fallback=False)
    assert not (folder / "bad").exists()


# ----------------------------------------------------------------------------------------- weights that are not its own


def spoiled(how: str, file: Path) -> Path:
    """The tiny model in half precision, every matrix of it broken."""
    tensors = {
        name: BROKEN[how](one).astype(np.float16) if one.ndim == 2 else one for name, one in llama_tensors().items()
    }
    file.write_bytes(write(llama_metadata(), tensors))
    return file


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("precision", ["q4_0", "q3_k_m", "q2_k"])
def test_broken_weights_are_refused_whatever_the_type(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, how: str
) -> None:
    def quantize(base: Path, file: Path, *options: Any) -> None:
        gguf_quantize.quantize(spoiled(how, tmp_path / "spoiled.gguf"), file, *options)

    monkeypatch.setattr("edgekit.exporters.gguf.export.quantize", quantize)
    with pytest.raises(ParityFailed, match="away from the fp32 reference on real input"):
        export(folder, f"broken-{precision}", precision, fallback=False, options={"rounding": "llama.cpp"})


@pytest.mark.parametrize("how", BROKEN)
def test_broken_weights_do_not_verify(folder: Path, tmp_path: Path, how: str) -> None:
    made = export(folder, f"q4-{len(how)}", "q4_0", fallback=False, evidence=False)
    edgekit.verify(made.path)
    gguf_quantize.quantize(spoiled(how, tmp_path / "spoiled.gguf"), made.path / "network.gguf", "q4_0")
    toy_model.forge(made.path)
    with pytest.raises(ParityFailed, match="away from the fp32 reference on the golden input"):
        edgekit.verify(made.path)


@pytest.mark.thorough
def test_auto_takes_the_smallest_that_passes(folder: Path) -> None:
    made = export(folder, "auto", "auto", data=folder / "text" / "a.txt", max_kld=10.0)
    found = frontier.load(made.path)
    assert found is not None
    chosen, points = found
    passed = [point for point in points if point.verdict == "pass"]
    assert chosen == min(passed, key=lambda point: point.size or 0).recipe == made.manifest.recipe.precision
    assert all(point.speed and point.loss is not None for point in passed)
    assert all("perplexity error" in point.figures for point in passed)
    assert {point.recipe for point in points} == set(LADDER)
    assert next(point for point in points if point.recipe == "iq3_xxs").verdict == "fail"  # no calibration
    assert "<svg" in (made.path / "frontier.svg").read_text()


def test_auto_needs_a_text_and_says_when_nothing_passes(folder: Path) -> None:
    with pytest.raises(BadInput, match="real samples"):
        export(folder, "none", "auto")
    with pytest.raises(BadInput, match="makes no sense"):
        export(folder, "none", "q8_0", max_kld=float("nan"))


def test_run_streams(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["run", str(bundle.path), "hello", "-o", "most=5"]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("\n")
    assert "no chat template" in said.err
    assert command.run(["run", str(bundle.path), "hello", "-o", "most=5", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer[0]["output"] == said.out.removesuffix("\n")
    assert command.run(["run", str(bundle.path), ""]) == 2


def test_a_text_that_is_too_short_names_itself(folder: Path) -> None:
    (folder / "short").mkdir()
    (folder / "short" / "tiny.txt").write_text("a few words")
    with pytest.raises(BadInput, match=r"tiny\.txt"):
        export(folder, "short-bundle", "q8_0", data=folder / "short")


def test_terms_are_shown_and_must_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_ACCEPT_TERMS", raising=False)
    gemma = find("models", "gemma3-270m")
    with pytest.raises(BadInput, match="Gemma Terms of Use") as caught:
        terms.check_terms(gemma, ["llama3.2"])
    assert "--accept-terms gemma" in caught.value.hint
    terms.check_terms(gemma, ["Gemma"])
    monkeypatch.setenv("EDGEKIT_ACCEPT_TERMS", "other, gemma")
    terms.check_terms(gemma, [])
    terms.check_terms(find("models", "smollm2-135m"), [])


def test_a_frontier_that_is_none_is_bad_input(tmp_path: Path) -> None:
    assert frontier.load(tmp_path) is None
    (tmp_path / frontier.NAME).write_text('{"chosen": 1, "points": [{"precision": 3}]}')
    with pytest.raises(BadInput, match="no frontier"):
        frontier.load(tmp_path)


def test_a_frontier_tells_what_decided_and_draws_it() -> None:
    def point(
        precision: str, verdict: str, reason: str, size: int, kld: float, low: float, high: float
    ) -> frontier.Point:
        loss = frontier.Loss(kld, low, high, "nats a token", 0.05)
        return frontier.Point(precision, verdict, reason, size, speed=9.0, loss=loss, figures={"perplexity": 30.4})

    points = [
        frontier.Point("iq3_xxs", "fail", "it needs calibration text."),
        point("q4_k_m", "fail", "?", 105_000_000, 0.0506, 0.047, 0.054),
        point("q5_k_m", "undecided", "?", 112_000_000, 0.0480, 0.043, 0.0516),
        point("q6_k", "undecided", "few chunks", 138_000_000, 0.008, 0.007, 0.009),
        point("q8_0", "pass", "?", 145_000_000, 0.0037, 0.0035, 0.0038),
        point("f16", "pass", "?", 271_000_000, 0.0, 0.0, 0.0),
    ]
    assert [row[-1] for row in frontier.rows(points, "q8_0")] == [
        "fail: it needs calibration text.",
        "fail: 0.0506 is above 0.05",
        "undecided: the interval reaches above 0.05",
        "undecided: few chunks",
        "pass",
        "pass",
    ]
    drawn = frontier_plot.plot(points, "q8_0")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert all(f">{word}</text>" in drawn for word in ("q4_k_m", "q8_0", "f16", "allowed: 0.05", "150"))
    assert "iq3_xxs" not in drawn
    assert "<circle" not in frontier_plot.plot(points[:1], "")


# --------------------------------------------------------------------------------------------------------- questions


def test_questions_judge_a_bundle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Random weights hold one of two choices likelier; the right one here is the likelier, as the reference says."""
    lines = [{"question": f"{i} is", "choices": ["odd", "even"], "answer": "odd"} for i in range(24)]
    asked = folder / "asked.jsonl"
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines))
    writer = edgekit.load(export(folder, "judge", "f16", evidence=False).path)
    for line, sample in zip(lines, questions(asked), strict=True):
        line["answer"] = answer(writer, sample.input)  # type: ignore[arg-type]
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = export(folder, "asked", "q8_0", data=asked, evidence=False)
    gate = made.manifest.gate
    assert (gate.metric, gate.samples, gate.reference) == ("right-answers", 24, 1.0)
    assert gate.verdict in ("pass", "undecided") and "are the reference's" in gate.reason
    assert edgekit.verify(made.path, data=asked)["gate"].value == gate.value
    asked.write_text(asked.read_text() + "{}\n")
    assert command.run(["verify", str(made.path), "--data", str(asked)]) == BadInput("").exit_code
    assert "asked.jsonl, line 25" in capsys.readouterr().err
