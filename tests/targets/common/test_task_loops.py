"""The loops of tasks in Java and in Swift, beside the tasks' Python: the same answers to the same numbers. Toys."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from helpers.devices import jvm, swift
from helpers.devices.jvm import started
from helpers.devices.task_loops import Pair, Start, Watched
from helpers.toys.toy_pieces import tokenizer
from numpy.typing import NDArray

from edgekit.errors import Unsupported
from edgekit.targets.common.apps import apps, closure
from edgekit.targets.common.vocabularies import pieces

PIL_BEFORE_13 = int(PIL.__version__.split(".")[0]) < 13


@pytest.fixture(scope="module", params=["java", "swift"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """The loops in both languages."""
    make = {"java": jvm.loops, "swift": swift.loops}[request.param]
    return partial(started, request.param, make(tmp_path_factory.mktemp(request.param)))


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
            wanted = [[note[name] for name in ("start", "end", "pitch", "velocity")] for note in expected.scored]
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


# --- pictures ---------------------------------------------------------------------------------------------------------


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _boxes(feeds: Any, classes: int, points: int, count: int = 60) -> dict[str, Any]:
    """Boxes that follow from the pixels, in heaps, so that many overlap."""
    rng = np.random.default_rng(int(next(iter(feeds.values())).astype(np.int64).sum()) % 2**32)
    middles = rng.uniform(-0.1, 1.1, (6, 2))[rng.integers(0, 6, count)] + rng.normal(0, 0.02, (count, 2))
    half = rng.uniform(0.0, 0.2, (count, 2))
    made = {
        "boxes": np.concatenate([middles - half, middles + half], 1)[None].astype(np.float32),
        "logits": rng.normal(0, 2, (1, count, classes)).round(1).astype(np.float32),
    }
    places = rng.uniform(-0.2, 1.2, (1, count, 2 * points)).astype(np.float32)
    return {**made, "points": places} if points else made


def _detector(height: int, width: int, classes: int, points: int) -> Watched:
    outputs: dict[str, Any] = {"boxes": ("float32", (1, 60, 4)), "logits": ("float32", (1, 60, classes))}
    return Watched(lambda feeds: _boxes(feeds, classes, points), {"pixels": ("uint8", (1, height, width, 3))}, outputs)


@pytest.mark.parametrize(
    ("activation", "points", "resize"),
    [
        ("sigmoid", 6, {"letterbox": True, "filter": "bilinear"}),
        ("softmax", 0, {"filter": "bicubic"}),
        ("sigmoid", 2, None),
    ],
)
def test_boxes(start: Start, tmp_path: Path, activation: str, points: int, resize: Any) -> None:
    labels = ["face", "hand", "paw"]
    part = _detector(48, 64, 3 + (activation == "softmax"), points)
    facts = {"height": 48, "width": 64, "labels": labels, "activation": activation, "threshold": 0.5, "overlap": 0.3}
    facts |= {"resize": resize} if resize else {}
    compared = 0
    with Pair(tmp_path, start, "object-detection", {"network": part}, facts) as pair:
        for seed, (height, width) in enumerate([(48, 64), (31, 90), (200, 20), (64, 48), (1, 1)]):
            if PIL_BEFORE_13 and height > 100:
                continue  # the other pass came first then
            pixels = picture(seed, height, width)
            threshold = 0.5 + 0.125 * (seed % 2)
            handed = {"pixels": pixels, "threshold": np.array([threshold], np.float32)}
            expected, answer = pair.both(pixels, handed, threshold=threshold)
            numbers = [
                [box["score"], *box["box"], *np.reshape(box.get("points", []), -1)] for box in expected.details["boxes"]
            ]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(numbers), -1), rtol=1e-6, atol=1e-5)
            assert answer["text"] == expected.output
            for mine, other in pair.fed("network", "pixels"):
                np.testing.assert_array_equal(mine, other)
            compared += len(numbers)
        assert compared > 20, "a test of nothing would prove nothing"
        assert "RGB pixels" in pair.refused(pixels=picture(0, 5, 5)[:, :, :1])


def _logits(feeds: Any, classes: int) -> dict[str, Any]:
    rng = np.random.default_rng(int(feeds["pixels"].astype(np.int64).sum()) % 2**32)
    return {"logits": rng.normal(0, 1, (1, 24, 32, classes)).astype(np.float32)}


@pytest.mark.parametrize(("classes", "letterbox"), [(1, False), (3, False), (3, True), (1, True)])
def test_areas(start: Start, tmp_path: Path, classes: int, letterbox: bool) -> None:
    outputs = {"logits": ("float32", (1, 24, 32, classes))}
    part = Watched(lambda feeds: _logits(feeds, classes), {"pixels": ("uint8", (1, 48, 64, 3))}, outputs)
    labels = ["nothing", "person", "chair"][: max(2, classes)]
    facts = {"height": 48, "width": 64, "labels": labels, "resize": {"filter": "bilinear", "letterbox": letterbox}}
    facts["activation"] = "sigmoid" if classes == 1 else "softmax"
    with Pair(tmp_path, start, "image-segmentation", {"network": part}, facts) as pair:
        for seed, (height, width) in enumerate([(48, 64), (90, 31), (24, 32), (300, 200), (20, 2100)]):
            pixels = picture(seed, height, width)
            expected, answer = pair.both(pixels, {"pixels": pixels})
            np.testing.assert_array_equal(answer["pixels"], expected.scored)
            assert answer["text"] == expected.output


@pytest.mark.parametrize("around", ["circle", "box"])
def test_keypoints(start: Start, tmp_path: Path, around: str) -> None:
    def landmarks(feeds: Any) -> dict[str, Any]:
        rng = np.random.default_rng(int(feeds["crop"].astype(np.int64).sum()) % 2**32)
        presence = np.full((1, 1), rng.uniform(0.3, 1.0), np.float32)
        return {"places": rng.uniform(-0.1, 1.1, (1, 5, 2)).astype(np.float32), "presence": presence}

    outputs: dict[str, Any] = {"places": ("float32", (1, 5, 2)), "presence": ("float32", (1, 1))}
    parts = {
        "detector": _detector(48, 48, 1, 3),
        "landmarks": Watched(landmarks, {"crop": ("uint8", (1, 40, 40, 3))}, outputs),
    }
    region = {"start": 0, "end": 1, "scale": 1.25} if around == "circle" else {}
    region |= {"around": "box", "start": 0, "end": 2, "shift": -0.5, "scale": 2.6} if around == "box" else {}
    detector = {
        "height": 48, "width": 48, "labels": ["hand"], "activation": "sigmoid", "threshold": 0.5, "overlap": 0.3,
        "resize": {"letterbox": True, "filter": "bilinear"},
    }  # fmt: skip
    facts = {"detector": detector, "region": region, "size": 40, "presence": 0.5, "most": 4, "labels": ["hand"]}
    facts |= {"names": list("abcde"), "links": [[0, 1], [1, 2]]}
    compared = 0
    with Pair(tmp_path, start, "keypoint-detection", parts, facts) as pair:
        for seed, (height, width) in enumerate([(120, 90), (48, 48), (60, 200), (33, 77)]):
            pixels = picture(seed, height, width)
            pixels = np.repeat(np.repeat(pixels, 2, 0), 2, 1)[:height, :width]
            expected, answer = pair.both(pixels, {"pixels": pixels})
            crops = pair.fed("landmarks", "crop")
            for mine, other in crops:
                np.testing.assert_array_equal(mine, other)
            numbers = [[thing["score"], *np.reshape(thing["points"], -1)] for thing in expected.scored]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(numbers), -1), rtol=1e-6, atol=1e-4)
            assert answer["text"] == expected.output
            compared += len(numbers)
    assert compared > 3, "a test of nothing would prove nothing"


def _map(feeds: Any, side: int) -> dict[str, Any]:
    """Chances of text: some turned rectangles, sharp or soft."""
    rng = np.random.default_rng(int(feeds["pixels"].astype(np.int64).sum()) % 2**32)
    rows, columns = np.mgrid[:side, :side]
    chances = rng.uniform(0, 0.2, (side, side))
    for _ in range(6):
        x, y, angle = (
            rng.uniform(10, side - 10),
            rng.uniform(10, side - 10),
            rng.normal(0, 0.3) + rng.choice([0, 0, 1.5]),
        )
        along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        inside = (abs(along) < rng.uniform(2, 30)) & (abs(across) < rng.uniform(1, 6))
        chances[inside] = rng.uniform(0.4, 1.0)
    return {"chances": chances[None].astype(np.float32)}


def test_text_in_pictures(start: Start, tmp_path: Path) -> None:
    def drawn(feeds: Any) -> Any:
        return np.random.default_rng(int(feeds["line"].astype(np.int64).sum()) % 2**32)

    def read(feeds: Any) -> dict[str, Any]:
        logits = drawn(feeds).normal(0, 1, (1, 10, 6)).astype(np.float32)
        return {"logits": np.repeat(logits, 2, axis=1) * 4}

    line = {name: ("uint8", (1, 12, width, 3)) for name, width in (("turn", 48), ("recogniser", 80))}
    turn = lambda feeds: {"probabilities": drawn(feeds).uniform(0, 1, (1, 2)).astype(np.float32)}  # noqa: E731
    parts = {
        "detector": Watched(lambda feeds: _map(feeds, 96), {"pixels": ("uint8", (1, 96, 96, 3))}, {}),
        "turn": Watched(turn, {"line": line["turn"]}, {}),
        "recogniser": Watched(read, {"line": line["recogniser"]}, {}),
    }
    facts: dict[str, Any] = {"side": 96, "height": 12, "width": 80, "turn_width": 48, "turned": 0.7, "least": 0.1}
    facts |= {
        "lines": {"pixel": 0.3, "line": 0.3, "growth": 1.6, "most": 50},
        "characters": ["a", " ", "\u4e2d", "d", "e"],
    }
    compared = 0
    with Pair(tmp_path, start, "image-to-text", parts, facts) as pair:
        for seed, (height, width) in enumerate([(96, 96), (240, 120), (90, 300), (77, 55), (150, 410), (64, 64)]):
            pixels = np.repeat(np.repeat(picture(seed, height, width), 3, 0), 3, 1)[:height, :width]
            expected, answer = pair.both(pixels, {"pixels": pixels})
            for part, name in (("detector", "pixels"), ("turn", "line"), ("recogniser", "line")):
                for mine, other in pair.fed(part, name):
                    np.testing.assert_array_equal(mine, other)
            rows = [[text["score"], *np.reshape(text["corners"], -1)] for text in expected.details["texts"]]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(rows), -1), rtol=1e-5, atol=1e-4)
            assert answer["text"] == expected.output
            compared += len(rows)
    assert compared > 12, "a test of nothing would prove nothing"


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


@pytest.mark.parametrize("length", ["tokens", 24])
def test_sentences(start: Start, tmp_path: Path, length: int | str) -> None:
    inputs = dict.fromkeys(("input_ids", "attention_mask"), ("int64", (1, length)))
    part = Watched(_embedding, inputs, {"embedding": ("float32", (1, 6))})
    facts = {"tokenizer": {"file": "tokenizer.json", "most": 32, "pad": "[PAD]", "side": "right"}}
    (tmp_path / "vocabulary.bin").write_bytes(pieces(tokenizer(tmp_path / "tokenizer.json")))
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
        {"normalizer": {**whole["normalizer"], "lowercase": False}},
        {"model": {**whole["model"], "continuing_subword_prefix": "@@"}},
        {"post_processor": {**whole["post_processor"], "single": whole["post_processor"]["single"][:2]}},
    ):
        with pytest.raises(Unsupported, match="another tokenizer"):
            pieces(tokenizer(tmp_path / "b.json", **changes))


# --- declarations -----------------------------------------------------------------------------------------------------


def test_every_declared_class_is_written_in_both_languages_and_shown() -> None:
    for app in apps():
        for sources, suffix, pages in (
            (jvm.KOTLIN, "kt", jvm.KOTLIN.parent / "gradle"),
            (swift.API, "swift", swift.PAGES),
        ):
            source = sources / f"{app.api}.{suffix}"
            assert source.is_file() and (pages / f"usage-{app.api}.{suffix}").is_file(), app
            loops = closure([source], [jvm.JAVA, jvm.KOTLIN] if suffix == "kt" else [swift.LOOPS, swift.API])
            others = {other.api for other in apps()} - {app.api}
            assert not others & {file.stem for file in loops}, "a class brings no other task's along"
