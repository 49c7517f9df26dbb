"""What quantized Whisper bundles say beside the fp32 bundle: words, and probabilities of the next token.

    python tests/peers/compare_texts.py FP32_BUNDLE BUNDLE... [--data ../shared/data] [--noise 30 22] [--clips N]

Words: every clip is transcribed as an app would, and the words that differ from the fp32 bundle's are counted (edits
by jiwer, behind Whisper's English normalizer). Where decoding is not certain it draws words at random, so one clip can
decide. Tokens: both decoders read the fp32 bundle's greedy text in one call, each behind its own encoder. The
Kullback-Leibler divergence of their distributions, in nats, is finer, and no chance is in it: a mean over the tokens of
a clip, and over clips. Intervals (95 %) are of a bootstrap over clips.
``--noise`` judges words on copies with white noise (signal to noise, in dB), too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.english import EnglishTextNormalizer

from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import load, makers
from edgekit.core import Runner
from edgekit.models.whisper.loop.decoding import log_softmax
from edgekit.models.whisper.loop.hypotheses import Hypotheses, Windows
from edgekit.numerics.parity import spread
from edgekit.tasks.common.audio import open_audio

RATE, LONGEST, THREADS, DRAWS = 16_000, 30 * 16_000, 2, 2000
FOLDERS = ("librispeech-test-other", "librispeech-train-clean")
#: Tokens of a clip that are read at most: a decoder that goes on is looping.
MOST = 200
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """A bundle beside the fp32 one. For each clip: words that differ, and the mean divergence of its tokens."""

    name: str
    size: int
    edits: Sequence[int]
    divergences: Sequence[float]


class Networks:
    """Encoder and decoder of a bundle."""

    def __init__(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        runtime = makers(bundle).runtime
        self.facts: dict[str, Any] = dict(bundle.manifest.facts["tokens"])
        self._parts: dict[str, Runner] = {
            part.name: runtime.load(folder / part.file, THREADS)
            for part in bundle.manifest.parts
            if part.name in ("frontend", "encoder", "decoder")
        }

    def prompt(self) -> list[int]:
        """English, to be written down without times."""
        facts = self.facts
        language = [facts["languages"]["en"], facts["transcribe"]] if facts["languages"] else []
        return [facts["start_of_transcript"], *language, facts["no_timestamps"]]

    def begun(self, sound: Sound) -> Hypotheses:
        """The beginning of a text about a sound of at most 30 s, in a window of whole seconds."""
        seconds = min(max(len(sound) // RATE + 2, 5), 30)
        audio = np.zeros((1, seconds * RATE), np.float32)
        audio[0, : len(sound)] = sound[: seconds * RATE]
        mel = self._parts["frontend"]({"audio": audio})["mel"]
        return Hypotheses(self._parts["decoder"], Windows(self._parts["encoder"]({"mel": mel}), float(seconds)))

    def greedy(self, sound: Sound) -> list[int]:
        """The likeliest text token at every position, to the end of the text."""
        hypotheses, new, tokens = self.begun(sound), self.prompt(), list[int]()
        end = self.facts["end_of_text"]
        while len(tokens) < MOST and (not tokens or tokens[-1] != end):
            logits = hypotheses.step([new], [len(new) - 1])[0, 0]
            tokens.append(int(logits[: end + 1].argmax()))
            new = tokens[-1:]
        return tokens

    def distributions(self, sound: Sound, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logarithms of the probabilities [tokens, vocabulary] of each of `tokens`, those before it being known."""
        told = [*self.prompt(), *tokens[:-1]]
        logits = self.begun(sound).step([told], range(len(told) - len(tokens), len(told)))[0]
        return log_softmax(logits)


def clips(data: Path, noises: Sequence[float], most: int) -> Iterator[tuple[str, Sound, bool]]:
    """Name, samples, and whether it is a noisy copy."""
    files = [path for folder in FOLDERS for path in sorted((data / folder).rglob("*.flac"))]
    if not files:
        raise SystemExit(f"there are no clips under {data}: --data takes a folder with {' and '.join(FOLDERS)}")
    for i, file in enumerate(spread(files, most or len(files))):
        sound = open_audio(file, RATE).window(0, LONGEST)
        yield file.stem, sound, False
        for decibels in noises:
            white = np.random.default_rng([i, int(decibels)]).standard_normal(len(sound))
            yield file.stem, (sound + white * sound.std() * 10 ** (-decibels / 20)).astype(np.float32), True


def compared(
    reference: Path, others: Sequence[Path], sounds: Sequence[tuple[str, Sound, bool]]
) -> tuple[list[Told], int]:
    """Every bundle beside `reference`, and the reference's number of words."""
    norm = EnglishTextNormalizer()

    def texts(folder: Path) -> list[str]:
        speech = load(folder, threads=THREADS)
        made = []
        for i, (_, sound, _) in enumerate(sounds):
            if i % 20 == 0:
                print(f"{folder.name}: {i} of {len(sounds)} sounds", file=sys.stderr, flush=True)
            made.append(norm(speech.predict(sound, language="en").output))
        return made

    said = texts(reference)
    clean = [sound for _, sound, noisy in sounds if not noisy]
    whole = Networks(reference)
    tokens = [whole.greedy(sound) for sound in clean]
    wanted = [whole.distributions(sound, told) for sound, told in zip(clean, tokens, strict=True)]
    rows = []
    for folder in others:
        edits = [_edits(*pair) for pair in zip(said, texts(folder), strict=True)]
        small, means = Networks(folder), []
        for sound, told, right in zip(clean, tokens, wanted, strict=True):
            exact = right.astype(np.float64)
            off = exact - small.distributions(sound, told)
            means.append(float((np.exp(exact) * off).sum(axis=1).mean()))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rows.append(Told(folder.name, size, edits, means))
    return rows, sum(len(text.split()) for text in said)


def _edits(said: str, other: str) -> int:
    if not said:
        return len(other.split())
    found = jiwer.process_words(said, other)
    return found.substitutions + found.deletions + found.insertions


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean, by a bootstrap over clips."""
    drawn = np.random.default_rng(0).choice(np.array(values), (DRAWS, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def table(rows: Sequence[Told], words: int) -> str:
    lines = [
        "| bundle | MB | words unlike fp32's | most in a clip | KL divergence, nats a token |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        count = len(row.edits)
        low, high = (100 * value * count / words for value in interval(row.edits))
        share = f"{100 * sum(row.edits) / words:.2f} % ({low:.2f} to {high:.2f})"
        least, most = interval(row.divergences)
        far = f"{np.mean(row.divergences):.4f} ({least:.4f} to {most:.4f})"
        lines.append(f"| {row.name} | {row.size / 1e6:.1f} | {share} | {max(row.edits)} | {far} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="the fp32 bundle")
    parser.add_argument("bundles", type=Path, nargs="+", help="bundles of the same model")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--noise", type=float, nargs="*", default=[], help="dB: more copies of each clip")
    parser.add_argument("--clips", type=int, default=0, help="at most so many clips, evenly; 0: all")
    given = parser.parse_args()
    rows, words = compared(given.reference, given.bundles, list(clips(given.data, given.noise, given.clips)))
    count = len(rows[0].edits)
    print(f"{table(rows, words)}\n\n{count} sounds, {words:,} words of the fp32 bundle.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
