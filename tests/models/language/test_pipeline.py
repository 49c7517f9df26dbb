"""The writer: what it asks of its network, what it says, and what it refuses. The network here counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.text_generation import samples
from edgekit.tasks.text_generation.writer import Writer

TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"


class Counting:
    """Tokens are bytes; the answer is "aé" over and over, or as long as it is told."""

    vocabulary, context_length, from_disk = 256, 64, 0
    answer = "aé".encode() * 40

    def __init__(self, template: str = "", length: int | None = None) -> None:
        self.metadata: dict[str, Any] = {"tokenizer.ggml.bos_token_id": 60, "tokenizer.chat_template": template}
        self.length, self.seen, self.calls = length, "", 0

    def tokenize(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        self.seen = text
        self.begun = bos
        return list(text.encode())

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        return bytes(tokens)

    def generate(self, tokens: Sequence[int], *, most: int, **options: Any) -> Iterator[int]:
        self.options = options
        yield from self.answer[: min(most, len(self.answer) if self.length is None else self.length)]

    def __call__(self, feeds: Any) -> dict[str, Any]:
        self.calls += 1
        return {"logits": np.zeros((len(feeds["tokens"]), 256), np.float32)}


def writer(network: Counting, context: int = 32) -> Writer:
    return Writer({"network": network}, Path(), {"context": context})


def test_text_comes_in_pieces_and_letters_are_never_split() -> None:
    pieces: list[str] = []
    found = writer(Counting(length=6)).predict("hi", stream=pieces.append)
    assert found.output == "".join(pieces) == "aéaé"
    assert set(pieces) == {"a", "é"}
    assert found.details["finish"] == "end"
    assert found.units == {"tokens": 6.0, "prompt_tokens": 2.0}
    assert "first_token" in found.marks
    assert "no chat template" in found.details["notes"][0]


@pytest.mark.parametrize(("most", "finish"), [(5, "length"), (500, "context")])
def test_it_says_why_it_ended(most: int, finish: str) -> None:
    found = writer(Counting()).predict("hi", most=most)
    assert found.details["finish"] == finish
    assert found.details["tokens"] == min(most, 30)


def test_the_template_is_the_models_own() -> None:
    network = Counting(TEMPLATE)
    writer(network, 64).predict("hi", system="short", most=1)
    assert network.seen == "[system]short[user]hi[assistant]"
    assert network.begun is None
    writer(network, 64).predict([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], most=1)
    assert network.seen == "[user]a[assistant]b[assistant]"
    writer(network).predict("hi", raw=True, most=1)
    assert network.seen == "hi"


def test_a_template_that_begins_the_text_is_not_begun_again() -> None:
    network = Counting("{{ bos_token }}" + TEMPLATE)
    writer(network, 64).predict("hi", most=1)
    assert network.seen.startswith("<[user]")
    assert network.begun is False


def test_samplers_are_passed_on() -> None:
    network = Counting()
    writer(network).predict("hi", temperature=0.7, seed=5, most=2)
    chances = {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "seed": 5}
    others = {"schema": None, "cancel": None, "cache": "f16", "look_up": False, "beginning": ()}
    assert network.options == {"context": 32, **chances, **others}


def test_what_a_prompt_cache_keeps_is_the_system_prompt() -> None:
    network = Counting(TEMPLATE)
    for text in ("hi", "abc", [{"role": "user", "content": "b"}]):
        answer = writer(network, 64).predict(text, system="short", most=1, prompt_cache=True)
        assert bytes(network.options["beginning"]) == b"[system]short[user]", text
        assert answer.details["from_disk"] == 0
    messages = [{"role": "system", "content": "short"}, {"role": "user", "content": "hi"}]
    writer(network, 64).predict(messages, most=1, prompt_cache=True)
    assert bytes(network.options["beginning"]) == b"[system]short[user]"


@pytest.mark.parametrize(
    ("prompt", "options", "why"),
    [
        ("", {}, "empty"),
        ("hi", {"prompt_cache": True}, "there is none"),
        ("hi", {"prompt_cache": True, "system": "short", "raw": True}, "there is none"),
        (" \n", {}, "empty"),
        ([{"role": "user", "content": " "}], {}, "empty"),
        ([{"role": "user"}], {}, "messages are"),
        ("x" * 32, {}, "32 tokens, and the context holds 32"),
        ("hi", {"context": 65}, "longer than the 64"),
        ("hi", {"most": 0}, "from 1"),
        ("hi", {"most": True}, "from 1"),
        ("hi", {"temperature": "hot"}, "from 0"),
        ("hi", {"beams": 2}, "no option 'beams'"),
        ("nofile.txt", {}, "there is no text file 'nofile.txt'"),
        (__file__, {}, "does not end in .txt"),
        ("hi", {"look_up": "maybe"}, "look_up is yes or no"),
    ],
)
def test_bad_input(prompt: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        writer(Counting(TEMPLATE if isinstance(prompt, list) else "")).predict(prompt, **options)


@pytest.mark.parametrize(("word", "on"), [("no", False), ("OFF", False), ("Yes", True), (True, True)])
def test_yes_and_no_are_typed_as_words(word: Any, on: bool) -> None:
    network = Counting()
    writer(network).predict("hi", look_up=word, most=1)
    assert network.options["look_up"] is on


def test_a_text_file_is_a_prompt(tmp_path: Path) -> None:
    network = Counting()
    (tmp_path / "a.txt").write_text("from a file", encoding="utf-8")
    writer(network).predict(str(tmp_path / "a.txt"), most=1)
    assert network.seen == "from a file"
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        writer(network).predict(str(tmp_path / "a.txt"))


def test_parity_sees_one_call_and_a_short_answer() -> None:
    network = Counting()
    found = writer(network).probe("hello")
    assert network.calls == 1
    assert found.details["tokens"] == 24


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"general.architecture": "mamba"}, "mamba"),
        ({"general.architecture": "llama", "llama.block_count": 2, "llama.embedding_length": 576}, "layers 2"),
        ({"general.architecture": "llama", "llama.block_count": 30, "llama.embedding_length": 576}, "no tokenizer"),
    ],
)
def test_another_checkpoint_is_refused(config: dict[str, Any], why: str, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "x.gguf", "gguf", {}, config, {})
    with pytest.raises(BadInput, match=why):
        find("models", "smollm2-135m").weights.prepare(checkpoint, tmp_path)


def test_texts_are_found(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"neither \.txt nor"):
        samples(tmp_path)
    (tmp_path / "b.txt").write_text("b")
    assert [sample.name for sample in samples(tmp_path)] == ["b.txt"]
    assert [sample.name for sample in samples(tmp_path / "b.txt")] == ["b.txt"]
