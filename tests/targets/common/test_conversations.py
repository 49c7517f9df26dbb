"""Conversations of apps, in Java and in Swift, beside Python's.

The weights are random: answers hold bytes that are no characters.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import CHAT_TEMPLATE, llama_file
from helpers.devices import chat, swift_chat
from helpers.devices.chat import Chat, assets_of

import edgekit
from edgekit.core import Predictor
from edgekit.errors import BadInput
from edgekit.llama import library
from edgekit.targets.common.language import settings_of
from edgekit.tasks.text_generation.conversation import Conversation

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "large": {"type": "boolean"}},
    "required": ["name", "large"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a chat template, and a context that a few turns fill."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    folder = tmp_path_factory.mktemp("chat")
    # A prompt of bytes: the golden one takes 1500 tokens.
    file = llama_file(folder / "toy.gguf", tokenizer__chat_template=CHAT_TEMPLATE)
    return edgekit.export(str(file), target="android", precision="f16", out=folder / "bundle", evidence=False).path


@pytest.fixture(scope="module")
def assets(bundle: Path) -> Path:
    return assets_of(bundle, SCHEMA)


@pytest.fixture(scope="module", params=[chat.compiled, swift_chat.compiled], ids=["java", "swift"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return request.param(tmp_path_factory.mktemp("peer"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def writer(bundle: Path) -> Predictor:
    return edgekit.load(bundle, threads=1)


def test_it_says_what_python_says(peer: list[str], assets: Path, writer: Predictor) -> None:
    """Greedy: the same text, in pieces of whole characters, and the same counts."""
    conversation = Conversation(writer, context=2048)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    with Chat(peer, assets, threads=1) as talk:
        for i in range(8):
            question = " ".join(str(word) for word in rng.integers(0, 999, 60))
            finish, text, pieces, prompt, tokens, left = talk.ask(question, 100)
            mine = conversation.ask(question, most=100)
            assert (text, finish) == (mine.output, mine.details["finish"]), i
            assert text.startswith(pieces)
            assert (int(prompt), int(tokens)) == (mine.details["prompt_tokens"], mine.details["tokens"])
            assert bool(int(left)) == bool(mine.details["notes"])
        assert int(left) > 0, "the context was filled"


def test_the_system_prompt_stays(peer: list[str], assets: Path, writer: Predictor) -> None:
    conversation = Conversation(writer, "Be brief.", context=2048)  # type: ignore[arg-type]
    with Chat(peer, assets, "Be brief.", threads=1) as talk:
        for question in ("one", " two\n"):
            assert talk.ask(question, 20)[1] == conversation.ask(question, most=20).output
    with Chat(peer, assets, "x" * 2000) as talk:
        assert "the system prompt takes 20" in talk.line()[1]


def test_a_cancellation(peer: list[str], assets: Path) -> None:
    with Chat(peer, assets, threads=1) as talk:
        assert talk.ask("hello", 500, cancel=3)[0] == "cancelled"
        finish, _, _, _, tokens, _ = talk.ask("hello", 500, cancel=3, inside=True)
        assert (finish, int(tokens)) == ("cancelled", 3)
        assert talk.ask("again", 5)[0] in ("length", "end"), "and it goes on"


def test_an_answer_in_a_schema(peer: list[str], assets: Path, writer: Predictor) -> None:
    """Letter by letter what Python's grammar gives; and the next answer is free again."""
    with Chat(peer, assets, threads=1) as talk:
        for question in ("one", "two", "three"):
            talk.do("clear")
            finish, text, *_ = talk.ask(question, 200, schema="place")
            mine = writer.predict([{"role": "user", "content": question}], most=200, context=2048, schema=SCHEMA)
            assert (finish, text) == ("end", mine.output)
            assert json.loads(text).keys() == {"name", "large"}
        talk.do("clear")
        free = writer.predict([{"role": "user", "content": "one"}], most=20, context=2048).output
        assert talk.ask("one", 20)[1] == free
        assert "there is no schema" in talk.ask("one", 20, schema="other")[1]


def test_keys_and_values_in_eight_bits(peer: list[str], bundle: Path, assets: Path, writer: Predictor) -> None:
    small = bundle.with_name("assets-q8_0")
    small = small if small.exists() else assets_of(bundle, SCHEMA, "q8_0")
    with Chat(peer, small, threads=1) as talk:
        for question in ("one", "two"):
            talk.do("clear")
            mine = writer.predict([{"role": "user", "content": question}], most=60, context=2048, cache="q8_0")
            assert talk.ask(question, 60)[1] == mine.output
    told = [json.loads((folder / "chat.json").read_text()) for folder in (assets, small)]
    assert [facts["cache"] for facts in told] == ["f16", "q8_0"]
    assert told[0]["memory"] > told[1]["memory"]


def test_a_type_of_keys_and_values_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="'q4' is no type"):
        settings_of({"cache": "q4"})


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("2.json", "{}", "cannot name a schema"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"type": "number", "minimum": 3}', r"a\.json: "),
        ("a.txt", "{}", "no folder"),
    ],
)
def test_schemas_that_no_app_gets(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=why):
        settings_of({"schemas": str(tmp_path)})


def test_what_cannot_be(peer: list[str], assets: Path, tmp_path: Path) -> None:
    with Chat(peer, assets, threads=1) as talk:
        assert talk.do("test")[0] == "passed"
        assert "MB are free" in talk.do("memory", free=1000)[1]
        assert talk.do("memory", free=1 << 40)[0] == "enough"
        assert "empty" in talk.ask("  ")[1]
        assert "context holds" in talk.ask("x" * 3000)[1]
    damaged = shutil.copytree(assets, tmp_path / "damaged")
    (damaged / "network.gguf").write_bytes(b"GGUF")
    with Chat(peer, damaged) as talk:
        assert talk.line()[0] == "error"
    wrong = shutil.copytree(assets, tmp_path / "wrong")
    description = json.loads((wrong / "chat.json").read_text())
    description["golden"]["answer"] = "\x01" + description["golden"]["answer"]
    (wrong / "chat.json").write_text(json.dumps(description))
    with Chat(peer, wrong, threads=1) as talk:
        assert talk.do("test")[0] == "failed"
