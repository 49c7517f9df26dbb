"""The loops of tasks in Java, Swift and JavaScript, beside the tasks' Python: the same answers. Toys."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices import jvm, node, swift
from helpers.devices.task_loops import Pair, Start, Watched
from helpers.toys.toy_pieces import tokenizer

from edgekit.errors import Unsupported
from edgekit.targets.common.apps import apps, closure
from edgekit.targets.common.vocabularies import pieces

# --- speech activity --------------------------------------------------------------------------------------------------


def _hear(feeds: Any) -> dict[str, Any]:
    """Speech where the sound is loud; it remembers how loud it was."""
    level = np.float32(np.abs(feeds["audio"]).mean())
    heard = min(1.0, 8 * float(level + feeds["h"][0, 0]))
    after = np.full((1, 4), level / 2, np.float32)
    return {"probability": np.array([[heard]], np.float32), "h_after": after}


def bursts(rng: Any, seconds: int) -> Any:
    """Noise whose loudness changes every twentieth of a second."""
    loud = np.repeat(rng.choice([0.0, 0.02, 0.05, 0.1], seconds * 20), 800)
    return (rng.normal(0, 1, len(loud)) * loud).astype(np.float32)


def test_speech_activity(start: Start, tmp_path: Path) -> None:
    states = {"h": ("float32", (1, 4))}
    part = Watched(_hear, {"audio": ("float32", (1, 576)), **states}, {"probability": ("float32", (1, 1))})
    facts = {"hop": 512, "context": 64, "states": {"h": "h_after"}, "sample_rate": 16_000, "rules": {"pause": 0.2}}
    rng, names = np.random.default_rng(4), ("threshold", "release", "shortest", "pause", "padding", "longest", "cut")
    with Pair(tmp_path, start, "voice-activity-detection", {"network": part}, facts) as pair:
        for trial in range(24):
            sound, options = bursts(rng, 1 + trial % 9), dict[str, Any]()
            handed = {"audio": sound[: len(sound) - 13 * trial], "piece": np.array([(7, 512, 5000)[trial % 3]])}
            if trial > 2:
                rules = rng.uniform(0, [1, 0.1, 0.3, 0.6, 0.4, 3, 0.2]).astype(np.float32)
                rules[1], rules[5] = min(rules[0], rules[1]), 1 + rules[5]
                rules[5] = math.inf if trial % 4 == 0 else rules[5]
                handed["rules"] = rules
                options = {name: float(value) for name, value in zip(names, rules, strict=True)}
            expected, answer = pair.both(handed["audio"], handed, **options)
            spans = [edge for span in expected.details["speech"] for edge in (span["start"], span["end"])]
            np.testing.assert_array_equal(answer["spans"], np.asarray(spans, np.float32))
            np.testing.assert_array_equal(
                answer["probabilities"], np.asarray(expected.details["probabilities"], np.float32)
            )
            assert answer["text"] == expected.output
            whole = len(handed["audio"]) // 512
            np.testing.assert_array_equal(answer["streamed"], answer["probabilities"][:whole])
        assert "not numbers" in pair.refused(audio=np.full(16_000, np.nan, np.float32))
        bad = np.array([0.5, 0.6, 0, 0, 0, 2, 0], np.float32)
        assert "release" in pair.refused(audio=np.zeros(512, np.float32), rules=bad)


# --- music ------------------------------------------------------------------------------------------------------------


def _play(feeds: Any) -> dict[str, Any]:
    """Notes that swell and fade, in steps of a sixteenth so that many are equal."""
    rng = np.random.default_rng(int(np.abs(feeds["audio"]).sum() * 1000) % 2**32)
    steps = np.repeat(rng.choice([0.0, 0.1, 0.4, 0.9], (16, 12), p=[0.5, 0.1, 0.2, 0.2]), 4, axis=0)
    note = np.clip(steps + rng.normal(0, 0.1, steps.shape), 0, 1)
    made = {"note": note, "onset": rng.uniform(0, 1, steps.shape) ** 3}
    return {name: ((value * 16).round() / 16)[None].astype(np.float32) for name, value in made.items()}


def test_music(start: Start, tmp_path: Path) -> None:
    outputs: dict[str, Any] = {"note": ("float32", (1, 64, 12)), "onset": ("float32", (1, 64, 12))}
    part = Watched(_play, {"audio": ("float32", (1, 4096, 1))}, outputs)
    facts: dict[str, Any] = {"sample_rate": 16_000, "window": 4096, "overlap": 6, "frame": 64, "frames_per_second": 250}
    facts |= {"lowest": 21, "drift": {"frames": 64, "seconds": 0.001}}
    facts["rules"] = {"onset": 0.5, "frame": 0.3, "shortest": 5, "tolerance": 5}
    names, rng, compared = ("onset", "frame", "shortest", "tolerance"), np.random.default_rng(6), 0
    with Pair(tmp_path, start, "automatic-music-transcription", {"network": part}, facts) as pair:
        for trial in range(20):
            sound = rng.normal(0, 0.1, int(rng.integers(1, 40_000)) if trial else 100).astype(np.float32)
            handed, options = {"audio": sound}, dict[str, Any]()
            if trial % 2:
                rules = np.array([rng.uniform(), rng.uniform(), trial % 7, trial % 4], np.float32)
                handed["rules"] = rules
                options = {"onset": float(rules[0]), "frame": float(rules[1])}
                options |= {name: int(value) for name, value in zip(names[2:], rules[2:], strict=True)}
            expected, answer = pair.both(sound, handed, **options)
            wanted = [[note[name] for name in ("start", "end", "pitch", "velocity")] for note in expected.metric_input]
            np.testing.assert_array_equal(answer["numbers"], np.asarray(wanted, np.float32).reshape(-1))
            assert answer["text"] == expected.output
            for mine, other in pair.fed("network", "audio"):
                np.testing.assert_array_equal(mine, other)
            compared += len(wanted)
        assert compared > 100, "a test of nothing would prove nothing"
        assert "longer than 1200" in pair.refused(audio=np.zeros(1200 * 16_000 + 1, np.float32))
        assert "from 0 to 1" in pair.refused(audio=sound, rules=np.array([2, 0, 0, 0], np.float32))


# --- policies ---------------------------------------------------------------------------------------------------------


def test_policies(start: Start, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(0, 1, (7, 3)).astype(np.float32)
    observation, action = {"observation": ("float32", (1, 7))}, {"action": ("float32", (1, 3))}
    part = Watched(lambda feeds: {"action": feeds["observation"] @ weights}, observation, action)
    with Pair(tmp_path, start, "reinforcement-learning", {"network": part}, {"limit": 1.0}) as pair:
        for seed in range(8):
            row = np.random.default_rng(seed).normal(0, 0.5, 7).astype(np.float32)
            expected, answer = pair.both(row, {"numbers": row})
            np.testing.assert_array_equal(answer["action"], np.asarray(expected.details["actions"][0], np.float32))
            np.testing.assert_array_equal(answer["applied"], np.asarray(expected.details["applied"][0], np.float32))
        assert "6 numbers" in pair.refused(numbers=np.zeros(6, np.float32))
        assert "not finite" in pair.refused(numbers=np.full(7, np.inf, np.float32))


# --- series -----------------------------------------------------------------------------------------------------------


def _quantiles(feeds: Any) -> dict[str, Any]:
    last, fill = feeds["features"][0, -48:, 0], feeds["fill"][0]
    rows = np.stack([(last + fill) / 2 + spread for spread in (-0.1, 0.0, 0.1)], 1)
    return {"quantiles": rows[None].astype(np.float32)}


def all_series() -> dict[str, Any]:
    rng, steps = np.random.default_rng(8), np.arange(3000)
    wave = 40 + 9 * np.sin(steps / 7) + 3 * np.cos(steps / 31) + rng.normal(0, 0.5, 3000)
    gaps = wave.copy()
    gaps[rng.integers(0, 3000, 700)] = np.nan
    return {
        "long": wave, "short": wave[:50], "few": wave[:8], "gaps": gaps, "constant": np.full(100, 3.25),
        "noise": rng.normal(0, 1e6, 500), "walk": np.cumsum(rng.normal(0, 1, 2048)), "weekly": np.tile(range(7), 300),
        "tiny": 1e-7 * wave[:300],
    }  # fmt: skip


@pytest.mark.parametrize("name", all_series())
def test_forecasts(start: Start, tmp_path: Path, name: str) -> None:
    inputs: dict[str, Any] = {"features": ("float32", (1, 2048, 10)), "fill": ("float32", (1, 48))}
    part = Watched(_quantiles, inputs, {"quantiles": ("float32", (1, 48, 3))})
    facts = {"context": 2048, "horizon": 48, "levels": [0.1, 0.5, 0.9], "observed": 8}
    facts["periods"] = {"most": 4, "least": 2, "alpha": 0.05, "bins": 16}
    series = np.asarray(all_series()[name], np.float32)
    with Pair(tmp_path, start, "time-series-forecasting", {"network": part}, facts) as pair:
        for steps in (48, 1, 100):
            expected, answer = pair.both(series, {"numbers": series, "steps": np.array([steps])}, horizon=steps)
            for input_name in ("fill", "features"):
                seen = pair.parts["network"].seen
                half = len(seen) // 2
                for one, other in zip(seen[:half], seen[half:], strict=True):
                    np.testing.assert_allclose(other[input_name], one[input_name], atol=2e-6)
            pair.parts["network"].seen.clear()
            wanted = np.reshape(expected.details["quantiles"], -1)
            span = max(float(np.ptp(wanted)), 1e-6)
            np.testing.assert_allclose(answer["quantiles"] / span, wanted / span, rtol=1e-6, atol=2e-6)
            assert answer["text"] == expected.output
        assert "steps that are not gaps" in pair.refused(numbers=np.full(20, np.nan, np.float32))
        assert "not 1001" in pair.refused(numbers=series, steps=np.array([1001]))


# --- sentences --------------------------------------------------------------------------------------------------------

TEXTS = [
    "The quick brown fox.", "don't STOP \u2014 now", "\u00c9t\u00e9 na\u00efve \u0130stanbul \u03a3\u0391\u03a3 \u00df",
    "a\u200bb\u00adc\ufffd \u2028 d\x85e\t\n f", "\u65e5\u672c\u8a9e ab\u4e2dcd", "x[SEP]y [MASK]s [CLS]] [sep]",
    "[[[CLS]",
    "q" * 100 + " " + "q" * 101, "\U0001f600x \ue000y e\u0301\u20dd", "$5^2=`25`~|+<>", "word " * 40,
    "  \u00a0a\u3000b ",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0915\u094d\u0937 \ud55c", "zebra foxes",
]  # fmt: skip


def _embedding(feeds: Any) -> dict[str, Any]:
    rng = np.random.default_rng(int((feeds["input_ids"] * feeds["attention_mask"]).sum()))
    return {"embedding": rng.normal(0, 1, (1, 6)).astype(np.float32)}


def _tokenizers(file: Path) -> dict[str, dict[str, Any]]:
    """Members that WordPiece tokenizers have of their own: of large letters, with accents, with other marks."""
    whole = json.loads(tokenizer(file).read_text())
    normalizer, added, model = whole["normalizer"], whole["added_tokens"], whole["model"]
    names = {"[CLS]": "the", "[SEP]": "stop", "[UNK]": "word", "[MASK]": "na"}
    marks = [{**one, "content": names[one["content"]], "normalized": one["content"] == "[MASK]",
              "id": model["vocab"][names[one["content"]]]} for one in added if one["content"] in names]  # fmt: skip
    frame = {"type": "RobertaProcessing", "cls": ["the", 5], "sep": ["stop", 9], "trim_offsets": True}
    return {
        "lower": {},
        "cased": {"normalizer": {**normalizer, "lowercase": False}},
        "accents": {"normalizer": {**normalizer, "strip_accents": False}},
        "plain": {"normalizer": {**normalizer, "lowercase": False, "strip_accents": True}},
        "marks": {
            "added_tokens": [added[0], *marks], "model": {**model, "unk_token": "word"},
            "post_processor": {**frame, "sep": ["stop", model["vocab"]["stop"]], "add_prefix_space": False},
        },
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["lower", "cased", "accents", "plain", "marks"])
@pytest.mark.parametrize("length", ["tokens", 24])
def test_sentences(start: Start, tmp_path: Path, length: int | str, kind: str) -> None:
    inputs = dict.fromkeys(("input_ids", "attention_mask"), ("int64", (1, length)))
    part = Watched(_embedding, inputs, {"embedding": ("float32", (1, 6))})
    changes = _tokenizers(tmp_path / "tokenizer.json")[kind]
    content, rules = pieces(tokenizer(tmp_path / "tokenizer.json", **changes))
    assert bool(rules) == (kind != "lower")
    facts = {"tokenizer": {"file": "tokenizer.json", "most": 32, "pad": "[PAD]", "side": "right", **rules}}
    (tmp_path / "vocabulary.bin").write_bytes(content)
    with Pair(tmp_path, start, "feature-extraction", {"network": part}, facts) as pair:
        for text in TEXTS:
            expected, answer = pair.both(text, {"text": text})
            for name in inputs:
                (seen, other) = (feeds[name] for feeds in pair.parts["network"].seen)
                np.testing.assert_array_equal(other, seen, err_msg=repr(text))
            pair.parts["network"].seen.clear()
            np.testing.assert_allclose(answer["embedding"], expected.details["embedding"], atol=1e-6)
        assert "empty" in pair.refused(text=" \n ")


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    whole = json.loads(tokenizer(tmp_path / "a.json").read_text())
    for changes in (
        {"normalizer": {**whole["normalizer"], "clean_text": False}},
        {"normalizer": None},
        {"model": {"type": "Unigram", "vocab": [["a", -1.5]]}},
        {"post_processor": {"type": "ByteLevel"}},
        {"model": {**whole["model"], "continuing_subword_prefix": "@@"}},
        {"post_processor": {**whole["post_processor"], "single": whole["post_processor"]["single"][:2]}},
    ):
        with pytest.raises(Unsupported, match=f"no WordPiece tokenizer .* by its {next(iter(changes))}:") as caught:
            pieces(tokenizer(tmp_path / "b.json", **changes))
        assert "--task tensors" in caught.value.hint


# --- declarations -----------------------------------------------------------------------------------------------------


def test_every_declared_class_is_written_in_java_and_in_swift_and_shown() -> None:
    for app in apps():
        for sources, suffix, pages in (
            (jvm.KOTLIN, "kt", jvm.KOTLIN.parent / "gradle"),
            (swift.API, "swift", swift.PAGES),
        ):
            source = sources / f"{app.api}.{suffix}"
            assert source.is_file() and (pages / f"usage-{app.api}.{suffix}").is_file(), app
            loop = jvm.JAVA / f"{app.loop}.java" if suffix == "kt" else swift.LOOPS / f"{app.loop}.swift"
            assert re.search(rf"\b{app.loop}( implements|:) TaskLoop\b", loop.read_text()), app
            loops = closure([source], [jvm.JAVA, jvm.KOTLIN] if suffix == "kt" else [swift.LOOPS, swift.API])
            others = {other.api for other in apps()} - {app.api}
            assert not others & {file.stem for file in loops}, "a class brings no other task's along"


def test_every_declared_loop_is_written_in_javascript() -> None:
    """Each with all that it imports: a package takes along what the code names."""
    for app in apps():
        source = node.LOOPS / f"{app.loop}.js"
        assert re.search(rf"^export class {app.loop}\b", source.read_text(encoding="utf-8"), re.MULTILINE), app
        taken = closure([source], [node.LOOPS])
        code = "".join(file.read_text(encoding="utf-8") for file in taken)
        assert set(re.findall(r'from "\./(\w+)\.js"', code)) <= {file.stem for file in taken}, app
