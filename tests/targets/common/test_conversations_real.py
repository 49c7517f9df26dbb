"""Conversations of apps on real weights, in Java and in Swift: Python's text on 20 prompts, and answers in a schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.devices import chat, swift_chat
from helpers.devices.chat import Chat, assets_of

import edgekit
from edgekit.core import Predictor
from edgekit.tasks.text_generation.conversation import Conversation

pytestmark = pytest.mark.real

PROMPTS = (
    *("What is the capital of France?", "Why is the sky blue?", "How many days are in a week?", "What do bees make?"),
    *("What is water made of?", "Who wrote Romeo and Juliet?", "Translate 'good morning' into Spanish.", "2 + 2 ="),
    *("Name three colours.", "What does a thermometer measure?", "Where do penguins live?", "What is a noun?"),
    *("Write a haiku about rain.", "Wie heißt du?", "¿Qué hora es?", "日本の首都", "Write 'hello' in Python."),
    *("Count to five.", "What is the opposite of hot?", "Say hello to a new neighbour.  \n"),
)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "large": {"type": "boolean"}},
    "required": ["city", "large"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smollm2") / "bundle"
    return edgekit.export("smollm2-135m", "android", precision="q8_0", out=out, fallback=False, evidence=False).path


@pytest.fixture(scope="module")
def assets(bundle: Path) -> Path:
    return assets_of(bundle, SCHEMA)


@pytest.fixture(scope="module")
def writer(bundle: Path) -> Predictor:
    return edgekit.load(bundle, threads=1)


@pytest.mark.parametrize("compiled", [chat.compiled, swift_chat.compiled], ids=["java", "swift"])
def test_it_says_what_python_says(compiled: object, assets: Path, writer: Predictor, tmp_path: Path) -> None:
    peer: list[str] = compiled(tmp_path)  # type: ignore[operator]
    with Chat(peer, assets, threads=1) as talk:
        assert talk.do("test")[0] == "passed"
        for prompt in PROMPTS:
            talk.do("clear")
            finish, text, *_ = talk.ask(prompt, 12)
            mine = Conversation(writer).ask(prompt, most=12)  # type: ignore[arg-type]
            assert (text, finish) == (mine.output, mine.details["finish"]), prompt
        for prompt in ("Describe Paris.", "Describe a village in Norway."):
            talk.do("clear")
            finish, text, *_ = talk.ask(prompt, 80, schema="place")
            mine = Conversation(writer).ask(prompt, most=80, schema=SCHEMA)  # type: ignore[arg-type]
            assert (finish, text) == ("end", mine.output), prompt
            assert isinstance(json.loads(text)["large"], bool)
