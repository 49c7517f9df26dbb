"""A Whisper for fast tests: random weights, a tokenizer of single bytes, and parts that follow a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Checkpoint, Feeds, Model, Runner, TensorSpec
from edgekit.models.whisper.family import whisper
from edgekit.models.whisper.loop.pipeline import Transcriber
from edgekit.models.whisper.shapes import Shape
from edgekit.models.whisper.weights import expected_shapes

LANGUAGES = ("en", "zh", "de", "haw", "yue")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
#: As in the real vocabulary, these are single tokens, so that suppressing them does not suppress the blank.
MERGES = [("Ġ", "-"), ("Ġ", "'"), ("Ġ", "â")]
EOT = 256 + len(MERGES)
VOCABULARY = EOT + len(SPECIAL) + 1501
#: The logit at which a token, where all others have 0, has a log probability of about -0.85.
HARDLY = 6.6
SHAPE = Shape(width=64, heads=2, encoder_layers=2, decoder_layers=2, vocabulary=VOCABULARY)


def write_tokenizer(file: Path, special: Sequence[str] = SPECIAL) -> Path:
    """A tokenizer.json with byte-level BPE, three merges and Whisper's special tokens (timestamps have no name)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {letter: i for i, letter in enumerate([*letters, *("".join(pair) for pair in MERGES)])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    tokenizer.save(str(file))
    return file


def random_state(shape: Shape, seed: int = 3) -> dict[str, NDArray[np.float32]]:
    """Weights under the common names; the key projections have no bias, as in every published format."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, size in expected_shapes(shape).items():
        if name.endswith("k_proj.bias"):
            state[name] = np.zeros(size, np.float32)
        elif "norm.weight" in name:
            state[name] = (1 + 0.1 * rng.standard_normal(size)).astype(np.float32)
        else:
            scale = 1.5 / np.sqrt(np.prod(size[1:])) if len(size) > 1 else 0.1
            state[name] = (scale * rng.standard_normal(size)).astype(np.float32)
    return state


class ToyWhisper:
    """Everything about one: its declaration, checkpoint, tokenizer folder and facts."""

    def __init__(self, folder: Path) -> None:
        self.shape = SHAPE
        self.folder = folder
        write_tokenizer(folder / "tokenizer.json")
        self.model: Model = whisper("whisper-toy", SHAPE, ())
        self.state = random_state(SHAPE)
        self.checkpoint = Checkpoint(folder / "model.safetensors", "safetensors", self.state, {}, {})
        self.facts: Mapping[str, Any] = self.model.weights.prepare(self.checkpoint, folder)
        self.tokens: Mapping[str, Any] = self.facts["tokens"]

    def ids(self, text: str) -> list[int]:
        """Tokens of plain text."""
        from edgekit.models.whisper.loop.tokens import Tokens

        return Tokens(self.folder / "tokenizer.json").encode(text)

    def stamp(self, seconds: float) -> int:
        """The token of a time."""
        first: int = self.tokens["first_timestamp"]
        return first + round(seconds / 0.02)

    def transcriber(self, decoder: ScriptedDecoder) -> tuple[Transcriber, Sounds]:
        """The pipeline over a scripted decoder, and what reached the frontend and the encoder."""
        facts = {**self.facts, "blanks": decoder.blanks} if decoder.blanks else self.facts
        sounds = Sounds()
        parts = {"frontend": sounds.frontend, "encoder": sounds.encoder, "decoder": decoder}
        return Transcriber(parts, self.folder, facts), sounds


class Fake(Runner):
    """A part made of a function."""

    def __init__(self, work: Callable[[Feeds], dict[str, NDArray[Any]]], inputs: tuple[TensorSpec, ...] = ()) -> None:
        self.inputs, self.outputs, self._work = inputs, (), work

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return self._work(feeds)


class Sounds:
    """A frontend and an encoder that only remember: the windows they were given."""

    def __init__(self) -> None:
        self.windows: list[NDArray[np.float32]] = []
        self.frames: list[int] = []
        self.keep = True
        self.frontend, self.encoder = Fake(self._mel), Fake(self._encode)

    @property
    def seconds(self) -> list[float]:
        return [len(window) / 16_000 for window in self.windows]

    def _mel(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        audio = feeds["audio"]
        if self.keep:
            self.windows.append(audio[0].copy())
        return {"mel": np.zeros((1, 80, audio.shape[1] // 160), np.float32)}

    def _encode(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.frames.append(feeds["mel"].shape[2])
        return {"cross_key_0": np.zeros((1, 1, 1), np.float32), "cross_value_0": np.zeros((1, 1, 1), np.float32)}


#: What has been fed to a hypothesis (prompt and samples) -> logits float32 [vocabulary].
Script = Callable[[list[int]], NDArray[np.float32]]


class ScriptedDecoder(Runner):
    """A decoder part whose logits are a function of everything a hypothesis was fed; its cache is what was fed.

    Args:
        blanks: entries that the cache must have before that.
    """

    def __init__(self, script: Script, blanks: int = 0) -> None:
        self.script, self.blanks = script, blanks
        self.inputs = (TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", 1)),)
        self.outputs: tuple[TensorSpec, ...] = ()
        self.prompts: list[list[int]] = []
        self.steps = 0
        self.longest = 0

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        tokens, past = feeds["tokens"], feeds["past_key_0"]
        if past.shape[2] == self.blanks:
            assert not past.any()
            self.prompts.append(tokens[0].tolist())
        self.steps += 1
        past = np.broadcast_to(past, (tokens.shape[0], *past.shape[1:]))
        fed = np.concatenate([past, tokens[:, None, :, None].astype(np.float32)], axis=2)
        self.longest = max(self.longest, fed.shape[2])
        rows = [
            [self.script(row[self.blanks : past.shape[2] + at + 1]) for at in feeds["select"].tolist()]
            for row in fed[:, 0, :, 0].astype(int).tolist()
        ]
        return {"logits": np.array(rows, np.float32), "present_key_0": fed}


def says(
    answers: Iterable[Sequence[int]], weight: float = 30.0, no_speech: float = 0.0, blanks: int = 0
) -> ScriptedDecoder:
    """A decoder that gives one answer after another: every prompt that is fed takes the next one, then only silence.

    Args:
        weight: logit of each token of an answer, where all others have 0: at 30 it is certain, at 6 it has 19 %.
        no_speech: probability of no speech after the start-of-transcript token. blanks: see `ScriptedDecoder`.
    """
    queue, current = list(answers), [[EOT]]
    sot, silent = EOT + 1, EOT + SPECIAL.index("<|nospeech|>")
    no_timestamps = EOT + SPECIAL.index("<|notimestamps|>")

    def script(fed: list[int]) -> NDArray[np.float32]:
        logits = np.zeros(VOCABULARY, np.float32)
        at = fed.index(sot)
        if len(fed) == at + 1:
            logits[:] = -30.0
            logits[silent], logits[0] = np.log(max(no_speech, 1e-9)), np.log(max(1 - no_speech, 1e-9))
            logits[EOT + 2] = -1.0  # of the languages, the first is the most probable
            return logits
        done = len(fed) - at - (4 if no_timestamps in fed[at:] else 3)
        if done == 0:
            current[0] = [*(queue.pop(0) if queue else []), EOT]
        logits[current[0][done] if done < len(current[0]) else EOT] = weight
        return logits

    return ScriptedDecoder(script, blanks)
