"""The loop of text to speech in each language, beside the task's Python: the same ids, noise and samples. Toys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.task_loops import Pair, Start, Watched
from numpy.typing import NDArray

HOP, CHANNELS = 4, 3
LETTERS = "abcdefghijklmnopqrstuvwxyz ,.!?;:ABCDEFGHIJ\u0259\u02c8\u0327"
TABLE = {"_": [0], "^": [1], "$": [2], **{letter: [number] for number, letter in enumerate(LETTERS, 3)}, "o": [60, 61]}
MANNER = {"speed": 1.0, "noise": 0.5, "rhythm": 0.3, "seed": 0}
FACTS = {
    "sample_rate": 8000, "hop": HOP, "window": 40, "halo": 3, "most": 64, "pause": 0.0123, "voice": "en-us",
    "manner": MANNER, "alphabet": TABLE,
}  # fmt: skip
PHONEMES = [
    "abc", "ab\u0259 \u02c8dog, cat! Here? \u00e7a", "x " * 90 + "; " + "word, of. " * 30, "a\u2028b.\u2003c\nd. e  ",
    "snow \u2603 man",
]  # fmt: skip
TEXTS = [
    "Come in, please; sit down.",
    "Mr. Jones met J. R. Smith. No. 5 is at 3.50!",
    "Wait\u2026 what?! (Yes.) \u201cNo!\u201d then \u2014 go",
    "say [[ p\u0259k, \n j\u02c8a ]] twice. [[a]]",
    "no\n\nparagraphs\x1c and\u2003spaces",
    "... well -- 12 \u00bd \u2603.",
    "vs. the e.g. end: so",
]


def _encode(feeds: Any) -> dict[str, Any]:
    """Of an id durations of no to three frames; its means, and deviations, follow from it."""
    ids, mask = feeds["phonemes"], feeds["mask"]
    means = np.stack([np.sin(ids * (1 + channel)) for channel in range(CHANNELS)], 1).astype(np.float32)
    durations = ((ids % 4) * mask - 0.2 + feeds["noise"][:, 0]).astype(np.float32)
    return {"durations": durations, "means": means, "deviations": np.abs(means) + feeds["noise"][:, 1:]}


def _decode(feeds: Any) -> dict[str, Any]:
    """Each sample is the mean of the frames around it, as far as the halo."""
    held = (feeds["latents"] * feeds["mask"][:, None]).mean(1)[0]
    smooth = np.convolve(np.pad(held, 3), np.ones(7, np.float32) / 7, mode="valid")
    return {"audio": np.repeat(smooth, HOP)[None].astype(np.float32)}


def parts(ids: int | str = "phonemes", frames: int | str = "frames") -> dict[str, Watched]:
    shape: dict[str, Any] = {"phonemes": ("int64", (1, ids)), "mask": ("float32", (1, ids))}
    shape["noise"] = ("float32", (1, 2, ids))
    made = dict.fromkeys(("means", "deviations"), ("float32", (1, CHANNELS, ids)))
    latents = {"latents": ("float32", (1, CHANNELS, frames)), "mask": ("float32", (1, frames))}
    return {
        "encoder": Watched(_encode, shape, {"durations": ("float32", (1, ids)), **made}),
        "decoder": Watched(_decode, latents, {"audio": ("float32", (1, "samples"))}),
    }


def compared(pair: Pair, sample: str, handed: dict[str, Any], manner: dict[str, Any] | None = None) -> None:
    if manner:
        handed = {**handed, "manner": np.array(list({**MANNER, **manner}.values()), np.float32)}
    expected, answer = pair.both(sample, handed, **(manner or {}))
    assert answer["text"] == expected.output
    assert answer["sentences"].split("\t") == expected.details["phonemes"]
    left_out = " ".join(expected.details["notes"]).partition("phonemes ")[2].partition(":")[0]
    assert answer["unknown"] == left_out
    for part, names in (("encoder", ("phonemes", "mask", "noise")), ("decoder", ("latents", "mask"))):
        seen = pair.parts[part].seen
        half = len(seen) // 2
        for one, other in zip(seen[:half], seen[half:], strict=True):
            for name in names:
                np.testing.assert_allclose(other[name], one[name], rtol=2e-6, atol=0)
        seen.clear()
    np.testing.assert_allclose(answer["samples"], expected.score, atol=1e-6)


@pytest.mark.parametrize(("ids", "frames"), [("phonemes", "frames"), (24, 16)])
def test_phonemes(start: Start, tmp_path: Path, ids: int | str, frames: int | str) -> None:
    with Pair(tmp_path, start, "text-to-speech", parts(ids, frames), FACTS) as pair:
        for phonemes in PHONEMES:
            compared(pair, f"[[ {phonemes} ]]", {"text": phonemes, "phonemes": ""})
        for manner in ({"speed": 2.0}, {"speed": 0.25, "seed": 7}, {"noise": 0.0, "rhythm": 0.0}, {"speed": 4.0}):
            compared(pair, f"[[ {PHONEMES[1]} ]]", {"text": PHONEMES[1], "phonemes": ""}, manner)
        assert "nothing to read" in pair.refused(text="\u2603 ?!", phonemes="")
        assert "knows no phoneme" in pair.refused(text="\u0416", phonemes="")
        assert "speed" in pair.refused(text="a", manner=np.array([5, 0, 0, 0], np.float32))


def test_texts(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words by the app's phonemizer; for Python by a program in espeak-ng's place that answers the same."""
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '(fr)'; tr -d '.,;:!?'; printf ' x\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    with Pair(tmp_path, start, "text-to-speech", parts(), FACTS) as pair:
        for text in TEXTS:
            compared(pair, text, {"text": text, "words": ""})
        assert "give a phonemizer" in pair.refused(text="[[ a ]] word")


def test_a_broken_network_gives_numbers(start: Start, tmp_path: Path) -> None:
    def broken(feeds: Any) -> dict[str, NDArray[Any]]:
        values = {"durations": np.nan, "means": np.inf, "deviations": 1.0}
        return {name: np.full_like(array, values[name]) for name, array in _encode(feeds).items()}

    bad = parts()
    bad["encoder"].work = broken
    with Pair(tmp_path, start, "text-to-speech", bad, FACTS) as pair:
        expected, answer = pair.both("[[ abc ]]", {"text": "abc", "phonemes": ""})
        assert answer["text"] == expected.output and np.isfinite(answer["samples"]).all()
