"""A Whisper that hears words in a made-up sound, whatever piece of it: streams read pieces again and again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from helpers.toys.toy_whisper import EOT, SPECIAL, VOCABULARY, ToyWhisper
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.targets.common.vocabularies import vocabulary

RATE = 16_000
#: What sample i adds, so that the first sample of a piece tells where it begins; and how loud speech is.
_STEP, _LOUD = 1e-9, 0.2
#: Heads, tokens and positions: a query of (2 a t, -a) and a key of (t, t t) meet where they have the same t.
_SHARP = 0.05
#: What a bundle with words and a detector of speech says of itself beside the toy's facts.
FACTS: Mapping[str, Any] = {
    "alignment": [[0, 0]],
    "detector": {"hop": 512, "context": 64, "states": {"h": "h_after"}},
}
_PAST = TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", 1))
_STATE = TensorSpec("h", "float32", (1, 1))
_NO_TIMESTAMPS = EOT + SPECIAL.index("<|notimestamps|>")


@dataclass(frozen=True)
class Said:
    """A word, as the network writes it, and when it is spoken, in seconds."""

    word: str
    start: float
    end: float


def script(spans: list[tuple[float, float]]) -> list[Said]:
    """A word every half second where somebody speaks, with marks and capitals in turns."""
    words: list[Said] = []
    for begin, end in spans:
        for at in np.arange(begin, end - 0.4, 0.5):
            i = len(words)
            mark = (",", "", ".", "", "")[i % 5]
            words.append(Said(f" {'W' if i % 5 == 3 else 't'}{i}{mark}", float(at) + 0.05, float(at) + 0.43))
    return words


def sound(words: list[Said], seconds: float) -> NDArray[np.float32]:
    """Loud while a word is spoken."""
    samples = np.arange(round(seconds * RATE)) * _STEP
    for word in words:
        samples[round(word.start * RATE) | 1 : round(word.end * RATE) : 2] += _LOUD
    return samples.astype(np.float32)


class Hearing:
    """The parts of the network over a sound of these words. It mishears a word that has not ended.

    Args:
        loops: readings of a length for which this is true go on for ever.
    """

    def __init__(self, toy: ToyWhisper, words: list[Said], loops: Any = lambda seconds: False) -> None:
        self._loops = loops
        self._words = [(word, toy.ids(word.word)) for word in words]
        self._unclear, self._loop = toy.ids(" x"), toy.ids(" la" * 200)
        self.longest = 0.0
        self.parts: dict[str, Runner] = {
            "frontend": _Part(self._mel),
            "encoder": _Part(self._encode),
            "decoder": _Part(self._decode, (_PAST,)),
            "detector": _Part(self._listen, (_STATE,)),
        }

    def _listen(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Speech where it is loud, and in the frame behind."""
        level = np.abs(feeds["audio"]).mean(keepdims=True)
        return {"probability": np.minimum(1, 20 * (level + feeds["h"])), "h_after": level / 2}

    def _mel(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        (audio,) = feeds["audio"]
        length = len(np.trim_zeros(audio, "b")) / RATE
        self.longest = max(self.longest, length)
        mel = np.zeros((1, 80, len(audio) // 160), np.float32)
        mel[0, :2, 0] = float(audio[0]) % _LOUD / _STEP / RATE, length
        return {"mel": mel}

    def _encode(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        at = np.arange(feeds["mel"].shape[2] // 2, dtype=np.float32)
        value = np.zeros((1, len(at), 1), np.float32)
        value[0, :2, 0] = feeds["mel"][0, :2, 0]
        return {"cross_key_0": np.stack([at, at**2])[None], "cross_value_0": value}

    def _heard(self, begin: float, length: float) -> tuple[list[int], list[float]]:
        """Tokens of the text, and when each begins, from the begin of the piece."""
        if self._loops(length):
            return self._loop, np.linspace(0, length, len(self._loop)).tolist()
        tokens, times = [], []
        for word, ids in self._words:
            if begin - 0.05 <= word.start < begin + length - 0.1:
                ids = ids if word.end <= begin + length else self._unclear
                spoken = np.linspace(word.start - begin, min(word.end - begin, length), len(ids), endpoint=False)
                tokens += ids
                times += spoken.tolist()
        return tokens, times

    def _decode(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        past, (row,) = feeds["past_key_0"], feeds["tokens"].tolist()
        begin, length = feeds["cross_value_0"][0, :2, 0].tolist()
        fed = [*past[0, 0, :, 0].astype(int).tolist(), *row]
        text, times = self._heard(begin, length)
        prompt = fed.index(_NO_TIMESTAMPS) + 1 if _NO_TIMESTAMPS in fed else len(fed)
        if fed[prompt : prompt + 1] != self._unclear[:1]:  # no text begins with a blank, but the middle of one may
            text, times = text[1:], times[1:]
        logits = np.zeros((1, len(feeds["select"]), VOCABULARY), np.float32)
        for i, at in enumerate(feeds["select"].tolist()):
            done = len(fed) - len(row) + at + 1 - prompt
            token = text[done] if 0 <= done < len(text) else EOT
            logits[0, i, token] = 7.0 if token % 7 == 3 else 30.0
        queries = np.zeros((1, 1, len(row), 2), np.float32)
        for i in range(len(row)):
            done = len(fed) - len(row) + i + 1 - prompt
            time = times[done] if 0 <= done < len(times) else length
            queries[0, 0, i] = 2 * _SHARP * 50 * time, -_SHARP
        fresh = np.array(row, np.float32)[None, None, :, None]
        return {
            "logits": logits,
            "present_key_0": np.concatenate([past, fresh], axis=2),
            "alignment_queries": queries,
        }


def describe(folder: Path, toy: ToyWhisper, facts: Mapping[str, Any], parts: Mapping[str, Runner]) -> None:
    """Write what the loops read of a bundle; only a decoder that gives queries can tell the times of words."""
    outputs = {"decoder": [TensorSpec("alignment_queries", "float32", ())] if "alignment" in facts else []}
    listed = [
        {
            "name": name,
            "file": name,
            "inputs": [asdict(spec) for spec in part.inputs],
            "outputs": [asdict(spec) for spec in outputs.get(name, [])],
        }
        for name, part in parts.items()
    ]
    told = {"model": "toy", "family": "whisper", "precision": "fp32", "answer": "", "parts": listed}
    told["limits"] = {part["name"]: 0.1 for part in listed}
    (folder / "model.json").write_text(json.dumps({**told, "facts": {**toy.facts, **facts}}))
    (folder / "vocabulary.bin").write_bytes(vocabulary(toy.folder / "tokenizer.json", EOT))


class _Part(Runner):
    def __init__(self, work: Any, inputs: tuple[TensorSpec, ...] = ()) -> None:
        self.inputs, self.outputs, self._work = inputs, (), work

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        made: dict[str, NDArray[Any]] = self._work(feeds)
        return made


def still(passes: float = 0.0) -> Any:
    """A clock in place of the module time: so many seconds pass from one look to the next."""
    told = [0.0]

    def look() -> float:
        told[0] += passes
        return told[0]

    return SimpleNamespace(perf_counter=look)


def streamed(predictor: Any, audio: Any, chunks: list[int], **options: Any) -> Any:
    """What Python's stream tells after each chunk that changed something, in lines as the loops give them; the whole
    answer."""
    stream, lines, pending, at = predictor.stream(**options), list[str](), "", 0
    for i, size in enumerate(itertools.cycle(chunks)):
        if at >= len(audio):
            break
        heard = stream.feed(audio[at : at + size])
        at += size
        if heard.words or heard.pending != pending or heard.notes:
            lines.append(f"{i}\t{heard.text}\t{heard.pending}\t{' '.join(heard.notes)}")
        pending = heard.pending
    return lines, stream.end()


def same_stream(events: list[str], whole: Any, answer: Mapping[str, Any]) -> None:
    """Each event; the words at the same times, within a millisecond; what the chunks gave is what the end gives."""
    assert "error" not in answer, answer["error"]
    *chunks, last = answer["heard"].splitlines()
    assert chunks == events
    assert answer["text"] == whole.output and answer["language"] == str(whole.details["language"])
    told = [line.split("\t") for line in answer["words"].splitlines()]
    words = whole.details["words"]
    assert [word for word, *_ in told] == [word["word"] for word in words]
    wanted = [(word["start"], word["end"], word["probability"]) for word in words]
    np.testing.assert_allclose([[float(v) for v in line[1:]] for line in told], wanted, rtol=0, atol=1e-3)
    assert answer["final"] == answer["words"]
    number, text, pending, _ = last.split("\t")
    assert (number, pending) == ("-1", "") and whole.output.endswith(text)
    assert int(answer["open"][0]) == 0, "a stream that has ended keeps no memory of the runtime"
