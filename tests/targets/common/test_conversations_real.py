"""Conversations of apps on real weights, in Java and in Swift: Python's text on 20 prompts, and answers in a schema."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.devices import chat, swift_chat
from helpers.devices.chat import Chat, assets_of

import edgekit
from edgekit.core import Prediction, Predictor
from edgekit.tasks.text_generation.conversation import Conversation

pytestmark = pytest.mark.real

PROMPTS = (
    *("What is the capital of France?", "Why is the sky blue?", "How many days are in a week?", "What do bees make?"),
    *("What is water made of?", "Who wrote Romeo and Juliet?", "Translate 'good morning' into Spanish.", "2 + 2 ="),
    *("Name three colours.", "What does a thermometer measure?", "Where do penguins live?", "What is a noun?"),
    *("Write a haiku about rain.", "Wie heißt du?", "¿Qué hora es?", "日本の首都", "Write 'hello' in Python."),
    *("Count to five.", "What is the opposite of hot?", "Say hello to a new neighbour.  \n"),
)
FACTS = (
    "The museum is open from ten to six, and closed on Mondays.",
    "A ticket costs nine euros, and nothing for children under twelve.",
    "Bags stay in the lockers beside the entrance, and photographs are allowed without a flash.",
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


@pytest.fixture(scope="module", params=[chat.compiled, swift_chat.compiled], ids=["java", "swift"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return request.param(tmp_path_factory.mktemp("peer"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def mine(writer: Predictor) -> Callable[..., Prediction]:
    """Python's answer to a prompt alone, which every language is compared with."""

    @functools.cache
    def answer(prompt: str, most: int, *, schema: bool = False) -> Prediction:
        return Conversation(writer).ask(prompt, most=most, **({"schema": SCHEMA} if schema else {}))  # type: ignore[arg-type]

    return answer


def test_it_says_what_python_says(peer: list[str], assets: Path, mine: Callable[..., Prediction]) -> None:
    with Chat(peer, assets, threads=1) as talk:
        assert talk.do("test")[0] == "passed"
        for prompt in PROMPTS:
            talk.do("clear")
            said = talk.ask(prompt, 12)
            expected = mine(prompt, 12)
            assert (said.text, said.finish) == (expected.output, expected.details["finish"]), prompt
        for prompt in ("Describe Paris.", "Describe a village in Norway."):
            talk.do("clear")
            said = talk.ask(prompt, 80, schema="place")
            assert (said.finish, said.text) == ("end", mine(prompt, 80, schema=True).output), prompt
            assert isinstance(json.loads(said.text)["large"], bool)


def test_a_system_prompt_is_computed_once(peer: list[str], assets: Path, tmp_path: Path) -> None:
    system = "You are the help desk of a small museum. " + " ".join(FACTS * 6)
    said = []
    for folder in (None, tmp_path, tmp_path):
        with Chat(peer, assets, system, 1, folder) as talk:
            said.append([talk.ask("When are you open?", 24), talk.ask("And how much is it?", 24)])
    assert [[turn.text for turn in turns] for turns in said] == 3 * [[turn.text for turn in said[0]]]
    first, again = said[1][0], said[2][0]
    assert first.computed == first.prompt + first.tokens > 300
    assert again.computed < 20 + again.tokens
    print(
        f"{first.prompt} tokens of prompt; computed with the answer: {first.computed}, then {again.computed};"
        f" {sum(path.stat().st_size for path in tmp_path.iterdir()) / 1e6:.1f} MB"
    )


def gap(writer: Predictor, prompt: str, one: str, other: str) -> float:
    """How much likelier the model holds one of two answers than the other where they part, in nats; 0: they are the
    same. llama.cpp has other kernels for several tokens than for one: without VNNI they differ by half a nat."""
    network, answers = writer.network, [writer.network.tokenize(text) for text in (one, other)]  # type: ignore[attr-defined]
    if answers[0] == answers[1]:
        return 0.0
    at = next((i for i, (a, b) in enumerate(zip(*answers, strict=False)) if a != b), min(map(len, answers)))
    endings = [answer[at : at + 1] or [min(network.end_tokens)] for answer in answers]
    begun = [*writer.prompt_tokens(prompt), *answers[0][:at]]  # type: ignore[attr-defined]
    first, second = network.likelihoods(begun, endings)
    return abs(first - second)


def test_look_up_takes_fewer_passes(peer: list[str], assets: Path, writer: Predictor) -> None:
    with Chat(peer, assets, threads=1) as talk:
        for task in ("Repeat this word for word", "Correct the spelling", "Summarize this"):
            said, prompt = [], f"{task}: {' '.join(FACTS)}"
            for how in ({}, {"look_up": True}):
                talk.do("clear")
                said.append(talk.ask(prompt, 48, **how))
            plain, tried = said
            assert gap(writer, prompt, tried.text, plain.text) < 1, (task, tried.text, plain.text)
            assert tried.passes < plain.passes == 1 + plain.tokens, task
            print(f"{task}: {plain.tokens} tokens, {plain.passes} passes, {tried.passes} with look-up")
