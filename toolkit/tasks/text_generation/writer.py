"""From a prompt to a text: chat template, tokens, sampling, and streaming.

Independent of file formats: the part is a runner that also has ``metadata`` (the file's own, with its chat
template), ``tokenize``, ``detokenize``, ``generate``, ``likelihoods``, ``context_length`` and ``vocabulary``.
"""

from __future__ import annotations

import codecs
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgekit.common.documents import read_json
from edgekit.common.lazy import np
from edgekit.core import Facts, Json, Prediction, Predictor, fact_of
from edgekit.core.options import check_names, truth
from edgekit.errors import BadInput
from edgekit.formats.gguf.template import render
from edgekit.tasks.common.tokens import read_if_named

#: Most bytes of a schema's file.
_LARGEST = 4 << 20
#: Tokens of the golden prompt whose logits are compared, and that are generated after it.
_PROBED, _ANSWERED = 64, 24


@dataclass(frozen=True)
class _Options:
    """Defaults of samplers are llama.cpp's; a temperature of 0 always takes the likeliest token."""

    system: str | None = None
    raw: bool = False
    most: int = 512
    context: int | None = None
    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0
    schema: Facts | str | Path | None = None
    cache: str = "f16"
    look_up: bool = False
    prompt_cache: bool = False


#: Option -> least and largest value.
_RANGES = {
    "temperature": (0.0, 10.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "top_k": (0, 1 << 20),
    "seed": (0, (1 << 32) - 1),
    "most": (1, 1 << 20),
    "context": (1, 1 << 24),
}
_CACHES = ("f16", "q8_0")
#: Those that the network is given as they are.
_PASSED = ("temperature", "top_k", "top_p", "min_p", "seed", "cache", "look_up")


class Stop:
    """Asks `cancel`, if there is one, and remembers that it said yes."""

    def __init__(self, cancel: Callable[[], bool] | None) -> None:
        self._cancel, self.done = cancel, False

    def __call__(self) -> bool:
        self.done = self.done or (self._cancel is not None and self._cancel())
        return self.done


class Writer(Predictor):
    """A language model that answers prompts.

    `facts`: ``context`` (default number of tokens of prompt and answer together).
    """

    streams = True

    def __init__(self, parts: Mapping[str, Any], folder: Path, facts: Facts) -> None:
        self.network = parts["network"]
        self._context = fact_of(facts, "context", int)
        self._template = self.network.metadata.get("tokenizer.chat_template")

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Answer a prompt.

        Args:
            sample: the prompt; a text file (a path that ends in .txt); or messages, ``{"role", "content"}`` each.
            options: ``system`` (a message before the prompt), ``raw`` (go on with the text, without a chat template),
                ``most`` (tokens to generate), ``context`` (tokens in all), ``temperature``, ``top_k``, ``top_p``,
                ``min_p``, ``seed``; ``schema`` (a JSON schema, or its file, that the answer keeps to); ``cache``
                (type of keys and values: "f16", or "q8_0" in about half of the memory); ``look_up`` (propose
                tokens that were said before, several at a time: less work where an answer repeats its prompt);
                ``prompt_cache`` (keep what was computed of the system prompt on disk, for the next process);
                ``stream``, called with each piece of text; ``cancel``, asked between tokens whether to stop;
                ``progress``.

        Returns:
            The text; details ``prompt_tokens``, ``from_disk`` (how many of them `prompt_cache` had), ``tokens``,
            ``context`` (tokens that fit), ``finish`` ("end", "length",
            "context" or "cancelled"), ``notes``, and with a schema ``value`` (what the JSON says, unless it was cut).

        Raises:
            BadInput: the prompt is empty or too long for the context, an option is unknown, or the template fails.
        """
        stream, progress, cancel = (options.pop(name, None) for name in ("stream", "progress", "cancel"))
        chosen = _chosen_options(options)
        schema = schema_of(chosen.schema)
        began = time.perf_counter()
        tokens, notes = self._prompt(sample, chosen)
        context = self._room(len(tokens), chosen.context)
        most = min(chosen.most, context - len(tokens))
        generated: list[int] = []
        first: float | None = None
        text: list[str] = []
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stopped = Stop(cancel)
        passed = {name: getattr(chosen, name) for name in _PASSED}
        beginning = self._beginning(sample, chosen, tokens) if chosen.prompt_cache else ()
        asked = stopped if cancel else None  # to be asked costs time in every operation
        for token in self.network.generate(
            tokens, most=most, context=context, schema=schema, beginning=beginning, cancel=asked, **passed
        ):
            first = first or time.perf_counter() - began
            generated.append(token)
            _say(decoder.decode(self.network.detokenize([token])), text, stream)
            if progress:
                progress(len(generated), most)
        _say(decoder.decode(b"", final=True), text, stream)
        full = "length" if most == chosen.most else "context"
        finish = "cancelled" if stopped.done else "end" if len(generated) < most else full
        details: dict[str, Json] = {"prompt_tokens": len(tokens), "tokens": len(generated), "context": context}
        details |= {"from_disk": self.network.from_disk} if chosen.prompt_cache else {}
        value: dict[str, Json] = {}
        if schema is not None:
            try:
                value = {"value": json.loads("".join(text))}
            except ValueError:
                notes = [*notes, f"the answer was cut after {len(generated)} tokens and is no whole JSON"]
        details |= {"finish": finish, "notes": notes, **value}
        units = {"tokens": float(len(generated)), "prompt_tokens": float(len(tokens))}
        return Prediction("".join(text), details, units, {} if first is None else {"first_token": first})

    def tokens_left(self, sample: Any, **options: Any) -> int:
        """Tokens of the context that a prompt leaves for its answer. Raises as `predict`."""
        tokens = len(self.prompt_tokens(sample, **options))
        return self._room(tokens, options.get("context")) - tokens

    def prompt_tokens(self, sample: Any, **options: Any) -> list[int]:
        """The tokens that an answer is generated after, the chat template's among them. Raises as `predict`."""
        return self._prompt(sample, _chosen_options(options))[0]

    def probe(self, sample: Any) -> Prediction:
        """The calls that parity compares: a call of the network on the prompt's first tokens, and a short answer.

        A whole answer would be a hundred calls, and the logits of a whole prompt a hundred megabytes.
        """
        tokens = self.tokens(sample)
        self.network({"tokens": np.asarray(tokens[:_PROBED], np.int32)})
        return self.predict(sample, raw=True, most=_ANSWERED)

    def tokens(self, sample: Any) -> list[int]:
        """The tokens of a text, without a template; of messages, line by line. Raises BadInput for an empty text."""
        if isinstance(sample, (list, tuple)):
            sample = "\n".join(message["content"] for message in _messages(sample, None))
        return list(self.network.tokenize(_text(sample)))

    def _prompt(self, sample: Any, chosen: _Options) -> tuple[list[int], list[str]]:
        if chosen.raw:
            return self.tokens(sample), []
        if not self._template:
            return self.tokens(sample), ["this model has no chat template: it goes on with the prompt as it stands"]
        known = self._special_tokens()
        prompt = render(str(self._template), _messages(sample, chosen.system), known)
        # A template may begin with the BOS token itself; it must not get a second.
        bos = False if known["bos_token"] and prompt.startswith(known["bos_token"]) else None
        return list(self.network.tokenize(prompt, special=True, bos=bos)), []

    def _beginning(self, sample: Any, chosen: _Options, tokens: list[int]) -> list[int]:
        """Those of the first `tokens` that every prompt with this system prompt begins with."""
        system = chosen.system
        if isinstance(sample, (list, tuple)) and sample and sample[0].get("role") == "system":
            system = sample[0]["content"]
        if not system or chosen.raw or not self._template:
            raise BadInput(
                "prompt_cache keeps a system prompt, and there is none.", hint='Give one: -o system="Answer briefly."'
            )
        first, alone = {"role": "system", "content": str(system)}, replace(chosen, system=None)
        others = [self._prompt([first, {"role": "user", "content": text}], alone)[0] for text in "ab"]
        rows = itertools.takewhile(lambda row: len(set(row)) == 1, zip(tokens, *others, strict=False))
        return [row[0] for row in rows]

    def _special_tokens(self) -> dict[str, str]:
        """The special tokens that templates use by name, as texts."""
        texts = {}
        for name in ("bos", "eos"):
            token = self.network.metadata.get(f"tokenizer.ggml.{name}_token_id")
            known = isinstance(token, int) and 0 <= token < self.network.vocabulary
            texts[f"{name}_token"] = self._token_text(token) if known else ""
        return texts

    def _token_text(self, token: int) -> str:
        text: bytes = self.network.detokenize([token], special=True)
        return text.decode("utf-8", "replace")

    def _room(self, prompt: int, asked: int | None) -> int:
        """Tokens of the context. Raises BadInput if a prompt leaves no room, or the model was trained for fewer."""
        trained = int(self.network.context_length)
        if asked is not None and asked > trained:
            raise BadInput(
                f"a context of {asked} tokens is longer than the {trained} that the model was trained for.",
                hint=f"At most: -o context={trained}",
            )
        context = asked or min(self._context, trained)
        if prompt >= context:
            longer = f"Give it more: -o context={min(trained, 2 * prompt)}" if prompt < trained else "Shorten it."
            raise BadInput(f"the prompt has {prompt} tokens, and the context holds {context}.", hint=longer)
        return context


def _say(piece: str, text: list[str], stream: Callable[[str], None] | None) -> None:
    if piece:
        text.append(piece)
        if stream:
            stream(piece)


def _chosen_options(options: dict[str, Any]) -> _Options:
    """`_Options` of what was given. Raises BadInput for an unknown name or value."""
    switches = {field.name: isinstance(field.default, bool) for field in fields(_Options)}
    check_names(options, switches)
    chosen = _Options()
    for name, value in options.items():
        if name == "cache" and value not in _CACHES:
            raise BadInput(f"the cache is of the type {' or '.join(_CACHES)}, not {value!r}.")
        if name in _RANGES and value is not None:
            least, largest = _RANGES[name]
            kinds = (int, float) if isinstance(least, float) else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= largest:
                raise BadInput(f"{name} is a number from {least:g} to {largest:g}, not {value!r}.")
        checked: Any = truth(name, value) if switches[name] else value
        chosen = replace(chosen, **{name: checked})
    return chosen


def _messages(sample: Any, system: str | None) -> list[dict[str, str]]:
    before = [{"role": "system", "content": str(system)}] if system else []
    if not isinstance(sample, (list, tuple)):
        return [*before, {"role": "user", "content": _text(sample)}]
    for message in sample:
        if not isinstance(message, Mapping) or not all(isinstance(message.get(k), str) for k in ("role", "content")):
            raise BadInput('messages are a list of {"role": ..., "content": ...}, both texts.')
    if not any(message["content"].strip() for message in sample):
        raise BadInput("the prompt is empty.", hint="Say something.")
    return [*before, *({"role": message["role"], "content": message["content"]} for message in sample)]


def _text(sample: Any) -> str:
    """A prompt's text, read from a file if it names one. Raises BadInput if it is empty, or names no text file."""
    sample = read_if_named(sample)
    if not isinstance(sample, str) or not sample.strip():
        raise BadInput("the prompt is empty.", hint='Say something: edgekit run BUNDLE "Why is the sky blue?"')
    return sample


def schema_of(schema: Facts | str | Path | None) -> Facts | None:
    """A JSON schema: a mapping, or the file that holds it. Raises BadInput where it is neither."""
    if schema is None or isinstance(schema, Mapping):
        return schema
    path = Path(str(schema))
    if not path.is_file():
        raise BadInput(f"there is no file {str(path)!r} with a schema.", hint="Such as --schema answer.json")
    read = read_json(path, _LARGEST)
    if not isinstance(read, dict):
        raise BadInput(f"{path.name} holds no JSON schema, which is an object.")
    return read
